"""What the folder of a job tells: how it stands, and which processes belong to it."""

import time
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from lib.core import locks
from lib.core.files import read_json
from lib.processes.group import ProcessGroup

CANCELLED_CODES = (130, 143)  # by Ctrl-C, by SIGTERM
RUNNER_START_SECONDS = 5.0


class JobState(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its processes are gone and left no exit code: the machine went down


ACTIVE = (JobState.QUEUED, JobState.RUNNING)


def outcome(folder: Path) -> tuple[JobState, int | None]:
    """How the job stands, and its exit code once it has one."""
    code = _code_in(folder / "exit_code")
    if code is None and _is_alive(folder):
        is_started = (folder / "started").exists()
        return (JobState.RUNNING if is_started else JobState.QUEUED), None
    if code is None:  # it may have ended between the two looks
        code = exit_code(folder)
    if code == 0:
        return JobState.SUCCEEDED, code
    if code in CANCELLED_CODES or (folder / "cancelled").exists():
        return JobState.CANCELLED, code
    return (JobState.LOST if code is None else JobState.FAILED), code


def _is_alive(folder: Path) -> bool:
    """Does its runner live, or, where that was killed, what it had started?"""
    is_held = locks.is_held(folder / "alive")
    group = _group(folder)
    if group is None or (is_held and group.has_leader):
        return is_held
    if _code_in(folder / "exit_code.self") is not None:  # an empty one is being written just now
        return False
    return is_held or bool(group.members())


def _group(folder: Path) -> ProcessGroup | None:
    """The processes of the job; None where its runner has not begun."""
    try:
        return ProcessGroup.model_validate(read_json(folder / "runner"))
    except ValidationError:
        return None


def awaited_group(folder: Path) -> ProcessGroup | None:
    """The same, after giving a runner that was started just now the time to say who it is."""
    deadline = time.monotonic() + RUNNER_START_SECONDS
    while (group := _group(folder)) is None and time.monotonic() < deadline:
        if not locks.is_held(folder / "alive"):
            return None
        time.sleep(0.02)
    return group


def exit_code(folder: Path) -> int | None:
    """The code the runner recorded, else the one the command left itself."""
    code = _code_in(folder / "exit_code")
    return _code_in(folder / "exit_code.self") if code is None else code


def _code_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def modified(path: Path) -> float | None:
    """When the file appeared or changed, in epoch seconds; None where it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None
