"""What a job tells of itself while it runs: one JSON object a line in the file of `BERTH_EVENTS`.

    {"at": epoch, "phase": "download", "state": "running", "done": 1, "total": 9, "note": "…"}

`done` and `total` are bytes. Where the variable is not set, nothing is written: the same program
run in a terminal needs no file.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.core.redact import redact

VARIABLE = "BERTH_EVENTS"
SPEED_WINDOW_SECONDS = 15.0
SPEED_AFTER_SECONDS = 2.0  # before that a figure would only be a guess
HEAD_BYTES = 65_536  # the phases that are over
TAIL_BYTES = 131_072  # the one that runs, and its speed
LONGEST_NOTE = 500

_Count = Annotated[int, Field(ge=0, le=2**62)]


class PhaseState(StrEnum):
    """How a phase stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Event(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float = Field(ge=0, le=2**40, allow_inf_nan=False)  # epoch seconds
    phase: str = Field(min_length=1, max_length=100)
    state: str = PhaseState.RUNNING
    done: _Count = 0
    total: _Count = 0  # 0 where it is not known
    note: str = ""


class Progress(BaseModel):
    """Where a job stands. The percentage is the phase's own; within a phase it never goes back."""

    model_config = ConfigDict(frozen=True)

    phase: str = ""
    state: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    percent: float | None = None  # 0 … 100
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    phases: tuple[tuple[str, str], ...] = ()  # every phase so far with its state, in order


def emit(
    phase: str, state: str = PhaseState.RUNNING, *, done: int = 0, total: int = 0, note: str = ""
) -> None:
    """Append one event; a file that cannot be written must not end the job."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    note = redact(note)[:LONGEST_NOTE]
    event = Event(at=time.time(), phase=phase, state=state, done=done, total=total, note=note)
    _append(path, event.model_dump_json().encode() + b"\n")


def record_exit(code: int) -> None:
    """Leave the exit code beside the events, for the case that the job's runner was killed."""
    path = os.environ.get(VARIABLE)
    if path:
        with contextlib.suppress(OSError):
            Path(path).with_name("exit_code.self").write_text(f"{code}\n", encoding="utf-8")


def read(path: Path) -> list[Event]:
    """The beginning and the end of the file in order, at most 192 KiB; odd lines are left out."""
    return [event for line in _lines(path) if (event := _parsed(line))]


def progress(events: Sequence[Event], now: float) -> Progress:
    """Where the job stands at `now`, from its events so far."""
    if not events:
        return Progress()
    last = events[-1]
    current = [event for event in events if event.phase == last.phase]
    shares = [min(event.done / event.total, 1.0) for event in current if event.total]
    is_running = last.state == PhaseState.RUNNING
    speed = _speed(current, now) if is_running and last.total else None
    return Progress(
        phase=last.phase,
        state=last.state,
        done=last.done,
        total=last.total,
        note=last.note,
        percent=round(100 * max(shares), 1) if shares else None,
        bytes_per_second=speed,
        seconds_left=max(0, last.total - last.done) / speed if speed else None,
        phases=_phases(events),
    )


def _phases(events: Sequence[Event]) -> tuple[tuple[str, str], ...]:
    """Every phase with its last state; one that another has followed is over, said or not."""
    states = {event.phase: event.state for event in events}
    for phase, state in states.items():
        if state == PhaseState.RUNNING and phase != events[-1].phase:
            states[phase] = PhaseState.SUCCEEDED
    return tuple(states.items())


def _speed(events: Sequence[Event], now: float) -> float | None:
    """Bytes per second over the last seconds; 0 while nothing comes, None before anything did."""
    recent = [event for event in events if event.at >= now - SPEED_WINDOW_SECONDS]
    if not recent:
        return 0.0
    first, last = recent[0], recent[-1]
    seconds = max(now, last.at) - first.at
    if last is first or seconds < SPEED_AFTER_SECONDS:
        return None
    return max(0, last.done - first.done) / seconds


def _append(path: str, line: bytes) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)  # one write, so that lines of several processes never mix
        finally:
            os.close(handle)


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES + TAIL_BYTES)
            size = file.seek(0, os.SEEK_END)
            if size <= len(head):
                return head.splitlines()
            file.seek(size - TAIL_BYTES)
            end = file.read(TAIL_BYTES)
    except OSError:
        return []
    return head[:HEAD_BYTES].splitlines()[:-1] + end.splitlines()[1:]


def _parsed(line: bytes) -> Event | None:
    try:
        return Event.model_validate_json(line)
    except ValidationError:
        return None
