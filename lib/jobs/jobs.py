"""Commands that outlive the page, the browser and the dashboard.

A job is a folder, read afresh each time:

    job.json        what was asked for
    log             its output, without secrets
    events.jsonl    its progress
    alive           locked as long as a process of it lives
    runner          the process that runs it: pid and time
    started         appears when its turn has come
    cancelled       appears when somebody cancels it
    paused          appears beside it when it was only to rest
    exit_code       appears when it ends
    exit_code.self  the command's own word, for the case that the runner was killed

Jobs of one resource run one after the other, in the order they were started; their runners see to
that by themselves. A job's secrets travel in its environment only.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.core import locks
from lib.core.access import Action, require
from lib.core.errors import (
    BadInput,
    Conflict,
    NoSpace,
    NotFound,
)
from lib.core.files import make_private, read_json, write_json
from lib.core.names import shown
from lib.core.redact import known_secrets
from lib.core.settings import ROOT, settings
from lib.jobs import events
from lib.jobs import log as job_log
from lib.jobs.events import Progress as Progress
from lib.jobs.folder import (
    ACTIVE,
    awaited_group,
    exit_code,
    modified,
    outcome,
)
from lib.jobs.folder import JobState as JobState
from lib.processes import background
from lib.processes.group import Ladder

KEPT_JOBS = 200
CANCEL_LADDER = ((signal.SIGTERM, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 3.0))  # seconds
KILLED_CODE = 137
_RUNNER = Path(__file__).with_name("runner.py")
_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")


class Record(BaseModel):
    """job.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    id: str
    title: str
    kind: str
    command: tuple[str, ...]
    resource: str = ""  # what no two jobs may use at the same time
    details: dict[str, Any] = {}
    created: float  # epoch seconds
    after: tuple[str, ...] = ()  # the jobs of this resource to wait for


class Job(Record):
    """A job as it stood when it was read."""

    folder: Path
    state: JobState
    exit_code: int | None = None
    started: float | None = None  # epoch seconds
    ended: float | None = None

    @property
    def is_active(self) -> bool:
        """Is it queued or running?"""
        return self.state in ACTIVE

    def progress(self) -> Progress:
        """Phase, bytes, speed and time left, from the job's own events."""
        now = events.progress(events.read(self.folder / "events.jsonl"), time.time())
        if not self.is_active and now.state == events.PhaseState.RUNNING:
            return now.model_copy(update={"state": self.state.value, "bytes_per_second": None})
        return now

    def log_tail(self, lines: int = 500) -> str:
        """The last lines of the log; cheap however long it is."""
        return job_log.tail(self.folder / "log", lines)

    def last_line(self) -> str:
        """The log's last line: how it went and what to do next."""
        return next((line for line in reversed(self.log_tail(20).split("\n")) if line.strip()), "")

    def read_log(self, offset: int = 0) -> tuple[str, int]:
        """At most 64 KiB of the log from `offset` on, and the offset to go on from."""
        return job_log.read_from(self.folder / "log", offset)

    def cancel(self, ladder: Ladder = CANCEL_LADDER) -> None:
        """End it with everything it started in its group: ask, wait, insist, kill.

        Nothing happens where it is over. Conflict where processes survive even that.
        """
        require(Action.DEPLOY)
        if not find(self.id).is_active:
            return
        (self.folder / "cancelled").touch()
        group = awaited_group(self.folder)
        left = group.end(ladder) if group else []
        if left:
            names = ", ".join(f"{process.pid}" for process in left)
            raise Conflict(
                f"“{self.title}” could not be ended: process {names} does not react.",
                "It waits for the disk or the kernel. Try again later, or restart the machine.",
            )
        if exit_code(self.folder) is None:
            (self.folder / "exit_code").write_text(f"{KILLED_CODE}\n", encoding="utf-8")

    @property
    def is_paused(self) -> bool:
        """Was it ended to go on later, by `retry`?"""
        return self.state == JobState.CANCELLED and (self.folder / "paused").exists()

    def pause(self, ladder: Ladder = CANCEL_LADDER) -> None:
        """End it like `cancel`; what it has fetched is kept, and `retry` goes on from there."""
        require(Action.DEPLOY)
        if find(self.id).is_active:
            (self.folder / "paused").touch()
            self.cancel(ladder)

    def retry(self, env: Mapping[str, str] | None = None) -> "Job":
        """The same command as a new job; secrets it needs have to be given again."""
        return start(
            self.command,
            title=self.title,
            kind=self.kind,
            resource=self.resource,
            details=self.details,
            env=env,
        )


def start(
    command: Sequence[str],
    *,
    title: str,
    kind: str,
    resource: str = "",
    details: dict[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Job:
    """Run the command in the background, from the project's folder, its input closed.

    It learns the place for its progress from `BERTH_EVENTS`. BadInput where it cannot be a command,
    NoSpace where the disk is full.
    """
    require(Action.DEPLOY)
    wish = _wish(command, title, kind, resource, details, env)
    with _board():
        return _start(wish, env or {})


def start_once(
    command: Sequence[str],
    *,
    title: str,
    kind: str,
    resource: str,
    details: dict[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Job:
    """The job of this kind and resource that is queued or running, else a new one."""
    require(Action.DEPLOY)
    wish = _wish(command, title, kind, resource, details, env)
    with _board():
        active = [job for job in running(kind) if job.resource == resource]
        return active[0] if active else _start(wish, env or {})


def recent(limit: int = 50, kind: str = "") -> list[Job]:
    """The newest jobs first; a folder that cannot be read is left out."""
    found: list[Job] = []
    for folder in _folders():
        job = _load(folder)
        if job and kind in ("", job.kind):
            found.append(job)
        if len(found) >= limit:
            break
    return found


def running(kind: str = "") -> list[Job]:
    """The jobs that are queued or running, newest first."""
    unfinished = [folder for folder in _folders() if not (folder / "exit_code").exists()]
    loaded = [job for folder in unfinished if (job := _load(folder))]
    return [job for job in loaded if job.is_active and kind in ("", job.kind)]


def find(job_id: str) -> Job:
    """The job of this id, or NotFound."""
    job = _load(settings().jobs / job_id) if _ID.fullmatch(job_id) else None
    if job is None:
        raise NotFound(f"There is no job “{shown(job_id)}”.", "Open Deploy to see the jobs.")
    return job


@contextlib.contextmanager
def _board() -> Iterator[None]:
    """One start at a time, so that every job knows all those before it."""
    try:
        with locks.locked(make_private(settings().jobs) / ".lock"):
            yield
    except OSError as error:
        raise NoSpace(
            f"No job can be recorded in {settings().jobs}: {error.strerror}.",
            "Free some space or check the folder's permissions, then try again.",
        ) from error


def _wish(
    command: Sequence[str],
    title: str,
    kind: str,
    resource: str,
    details: dict[str, Any] | None,
    env: Mapping[str, str] | None,
) -> Record:
    """The record of a new job, checked: nothing odd in the command, no secret in the file."""
    now = time.time()
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    record = Record(
        id=f"{moment}-{int(now % 1 * 1_000_000):06d}-{secrets.token_hex(2)}",
        title=title,
        kind=kind,
        command=tuple(command),
        resource=resource,
        details=details or {},
        created=now,
    )
    if not command or not command[0] or any("\0" in word for word in command):
        raise BadInput("This is not a command that can be run.", "Check the names in it.")
    if any(secret in record.model_dump_json() for secret in _secrets_for(env or {})):
        raise ValueError("A secret belongs in the job's environment, not in its command or details")
    return record


def _secrets_for(env: Mapping[str, str]) -> list[str]:
    token = settings().hf_token
    return known_secrets(env) + ([token.get_secret_value()] if token else [])


def _start(wish: Record, env: Mapping[str, str]) -> Job:
    before = [job.id for job in running() if wish.resource and job.resource == wish.resource]
    folder = make_private(settings().jobs / wish.id)
    write_json(folder / "job.json", {**wish.model_dump(), "after": before})
    _launch(folder, env)
    _prune()
    return find(wish.id)


def _launch(folder: Path, env: Mapping[str, str]) -> None:
    """Start the runner in a session of its own, heir to the lock that says the job lives."""
    world = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",  # a log that is read while it grows
        **env,
        "BERTH_HOME": str(settings().home),
        events.VARIABLE: str(folder / "events.jsonl"),
    }
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        with locks.locked(folder / "alive") as alive:
            runner = [sys.executable, "-I", "-S", str(_RUNNER), str(folder)]
            background.detach(runner, world, ROOT, errors=log, heirloom=alive)
    finally:
        os.close(log)


def _folders() -> list[Path]:
    """The folders of all jobs, newest first."""
    try:
        names = [entry.name for entry in os.scandir(settings().jobs) if _ID.fullmatch(entry.name)]
    except OSError:
        return []
    return [settings().jobs / name for name in sorted(names, reverse=True)]


def _prune() -> None:
    """Forget the oldest jobs, never one that still runs."""
    for folder in _folders()[KEPT_JOBS:]:
        job = _load(folder)
        if job is None or not job.is_active:
            shutil.rmtree(folder, ignore_errors=True)


def _load(folder: Path) -> Job | None:
    """The job of this folder; None where the record is missing, broken or of a newer format."""
    try:
        record = Record.model_validate(read_json(folder / "job.json"))
        state, code = outcome(folder)
        return Job(
            **record.model_dump(),
            folder=folder,
            state=state,
            exit_code=code,
            started=modified(folder / "started"),
            ended=None if state in ACTIVE else modified(folder / "exit_code"),
        )
    except ValidationError:
        return None
