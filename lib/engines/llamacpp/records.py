"""What is on disk about each child of the built-in engine, in settings().engines.

Nothing is kept in memory, so every process of Berth sees the same and a restart forgets nothing.
Of the model NAME:

    NAME.json     the record of its child       NAME.log    what the child prints
    NAME.key      the key it asks for           NAME.exit   how it ended, where it did by itself
    NAME.options  what it was started with      NAME.lock   held while it is being started
    NAME.pid      which process it is, from before it runs
    NAME.failed   what an own llama-server printed before the wheel's engine took its place
    NAME.memory   what its loads took, and how fast they wrote
    NAME.tries    how often it was started again, see lib/fleet/tries.py, as of NAME.end1 to .end3
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from lib.core.errors import EngineError, NoSpace
from lib.core.files import (
    make_private,
    read_json,
    tail,
    write_json,
)
from lib.core.locks import is_held, locked
from lib.core.names import ModelName
from lib.core.settings import settings
from lib.engines.base import StartOptions, Upstream
from lib.engines.llamacpp.causes import explain
from lib.fit.kinds import Task
from lib.machine.boot import boot
from lib.machine.oom import ran_out_since
from lib.processes import background as process
from lib.processes.identity import command_line

NEEDED_BYTES = 64 * 1024  # for the files about one child, and what its log begins with
ENDINGS = (
    *("json", "key", "options", "exit", "pid", "log", "failed", "lock", "memory"),
    *("tries", "end1", "end2", "end3"),
)
NOTING_SECONDS = 2.0  # between the intention and the child
NO_CHILD = process.Child(pid=0, created_at=0)  # in the record of one that is about to be started


class Record(process.Child):
    """A child that was started, whether it still runs or not."""

    model: ModelName
    path: str  # of the file, under settings().models
    size_bytes: int
    can_chat: bool
    task: Task = Task.WRITING
    can_see: bool = False  # as the engine tells it, once it is ready
    projector: str = ""  # its path; "" for none
    template: str = ""  # the path of the one beside it; "" for none
    token_bytes: int = 0  # that the processor reads for every token; 0: nobody knows, or a GPU may
    options: StartOptions
    port: int
    started_at: float  # epoch seconds
    version: str = ""
    program: str = ""  # a llama-server of the user's own; "" is the wheel's engine
    note: str = ""  # why the user's own does not run it
    context: int | None = None  # tokens per slot, as the engine tells them; None until it is ready
    is_stopping: bool = False
    boot: str = ""  # which start of the machine it was started in; "" in records of before
    memory_kills: int | None = None  # the system's count of such ends when it was started

    @property
    def url(self) -> str:
        """Where it answers, without /v1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        """Does its process still run?"""
        return process.is_alive(self)


def file_of(model: str, ending: str) -> Path:
    """A file about the model; two models never share one, as no ending ends in another."""
    return settings().engines / f"{model}.{ending}"


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the lock of a model, or of what begins with a dot; EngineError where files fail."""
    try:
        with locked(make_private(settings().engines) / f"{name}.lock"):
            yield
    except OSError as error:
        raise EngineError(
            f"{settings().engines} cannot be used: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error


def read(model: str) -> Record | None:
    """The record of this model; None where there is none, or for what is no file's name."""
    if Path(model).name != model:
        return None
    with contextlib.suppress(ValidationError):
        record = Record.model_validate(read_json(file_of(model, "json")))
        return _recognised(record) if record.pid else _completed(record)
    return None


def _recognised(record: Record) -> Record:
    """With a birth, where it is of before those were noted and its process is still ours.

    A step of the clock may have made a stranger of it; its command line tells.
    """
    ours = str(settings().engines / f"{record.model}.")
    if record.birth or not any(word.startswith(ours) for word in command_line(record.pid)):
        return record
    return record.model_copy(update=process.known(record.pid).model_dump())


def awaited(model: str) -> Record | None:
    """The same, after giving a child that is being started just now the time to be noted."""

    def is_noted() -> bool:
        record = read(model)
        return record is None or bool(record.pid)

    process.wait_until(is_noted, NOTING_SECONDS)
    return read(model)


def _completed(record: Record) -> Record:
    """With the process that became of the intention, where whoever had it could not write so."""
    child = process.noted(file_of(record.model, "exit"))
    return record.model_copy(update=child.model_dump()) if child else record


def read_all() -> list[Record]:
    """Every record that means something.

    Not those of children that were stopped, or whose end nobody saw (a power cut, a reboot, and
    their pid may be another's by now): they are cleaned up.
    """
    found = [read(path.stem) for path in settings().engines.glob("*.json")]
    return [record for record in found if record and _has_meaning(record)]


def _has_meaning(record: Record) -> bool:
    if record.is_alive or is_held(settings().engines / f"{record.model}.lock"):
        return True
    is_of_this_boot = record.boot in ("", boot())  # a machine that stops ends what runs
    if is_of_this_boot and not record.is_stopping and record.pid and exit_code(record) is not None:
        return True
    forget(record)
    return False


def require_space() -> None:
    """NoSpace where the files about another child could not be written."""
    trial = make_private(settings().engines) / ".space"
    try:
        trial.write_bytes(bytes(NEEDED_BYTES))
    except OSError as error:
        raise NoSpace(
            f"{settings().engines} cannot be written: {error.strerror}.", "Free some space there."
        ) from error
    finally:
        trial.unlink(missing_ok=True)


def save(record: Record) -> None:
    """Write a new child's record over that of an old one."""
    write_json(file_of(record.model, "json"), record.model_dump(mode="json"))


def update(record: Record, **changes: Any) -> None:
    """Change the record on disk, where it is still this child's; a full disk is no obstacle."""
    now = read(record.model)
    if now is not None and now.pid == record.pid:
        with contextlib.suppress(OSError):
            save(now.model_copy(update=changes))


def forget(record: Record) -> None:
    """Drop all but the log, unless another child takes the place by now."""
    now = read(record.model)
    if now is not None and (now.port, now.started_at) == (record.port, record.started_at):
        for ending in ("json", "key", "options", "exit", "pid"):
            file_of(record.model, ending).unlink(missing_ok=True)


def keep_log(model: str) -> Path:
    """Put the log aside before another program takes the place; where it is then."""
    kept = file_of(model, "failed")
    with contextlib.suppress(OSError):
        file_of(model, "log").replace(kept)
    return kept


def upstream(record: Record) -> Upstream:
    """Where this child is asked."""
    return Upstream(
        base_url=f"{record.url}/v1",
        model=record.model,
        key=key(record.model),
        token_bytes=record.token_bytes,
        slots=record.options.slots,
    )


def logs() -> dict[str, str]:
    """The path of each model's log, by model, for those that have one."""
    return {path.stem: str(path) for path in settings().engines.glob("*.log")}


def key(model: str) -> SecretStr | None:
    """The key that the model's child asks for."""
    with contextlib.suppress(OSError):
        return SecretStr(file_of(model, "key").read_text(encoding="utf-8").strip())
    return None


def exit_code(record: Record) -> int | None:
    """How its child ended, −N for signal N; None where nobody saw it."""
    return process.exit_code(record, file_of(record.model, "exit"))


def cause(record: Record) -> EngineError:
    """Why its child ended."""
    log = tail(file_of(record.model, "log"))
    return explain(log, exit_code(record), ran_out_since(record.memory_kills))
