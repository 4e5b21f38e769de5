"""Models that come and go by the clock, or with the machine.

What was done is kept in schedule.json: each begin, end and start of the machine counts once, also
where the clock is set back, a person stops the model meanwhile, or another dashboard takes over.
"""

import contextlib
import datetime as dt
import logging

from pydantic import Field, ValidationError

from lib.core.errors import BerthError
from lib.core.files import read_json, write_text
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines import all_models, find_model
from lib.engines.base import Model, StartOptions, State
from lib.fleet import actions, rules, use
from lib.fleet.watch import Watch
from lib.machine.boot import boot

BOOT_TIME = dt.timedelta(minutes=10)  # so long an engine may take to come up
_log = logging.getLogger(__name__)


class _Done(Frozen):
    """What was acted on, by `Model.key`: last begins and ends, and this start of the machine."""

    boot: str = ""
    boot_seen: dt.datetime = dt.datetime.min
    booted: tuple[str, ...] = ()
    begins: dict[str, dt.datetime] = Field(default={})
    ends: dict[str, dt.datetime] = Field(default={})


class Schedule(Watch):
    """Starts and stops what the rules name."""

    name, seconds = "schedule", 15.0

    def look(self, now: dt.datetime | None = None) -> list[str]:
        """Do what is due; the names of the models that were started or stopped."""
        now = now or dt.datetime.now()  # hours are of this machine's own time
        before, every = _read(), all_models()
        if before is None:  # nobody knows what was done: this look is where it begins
            _write(_Done(boot=boot(), booted=tuple(model.key for model in every)))
            return []
        found: list[str] = []
        done = before if before.boot == boot() else _new_boot(before, now)
        if abs(now - done.boot_seen) <= BOOT_TIME:
            done = _booted(every, done, found)
        for model in every:
            done = _by_the_clock(model, now, done, found)
        if done != before:
            _write(done)
        return found


def _new_boot(before: _Done, now: dt.datetime) -> _Done:
    return before.model_copy(update={"boot": boot(), "boot_seen": now, "booted": ()})


def _booted(every: list[Model], done: _Done, found: list[str]) -> _Done:
    """Each once; an engine that comes up after Berth shows its models later."""
    due = [m for m in every if rules.of(m).starts_at_boot and m.key not in done.booted]
    found += [model.name for model in due if _started(model, "with the machine")]
    return done.model_copy(update={"booted": (*done.booted, *(model.key for model in due))})


def _by_the_clock(model: Model, now: dt.datetime, done: _Done, found: list[str]) -> _Done:
    """Its begin or its end, if that has not been acted on; what is done by then."""
    hours = rules.of(model).hours
    span = hours.span(now) if hours else None
    if hours is None or span is None:
        return done
    begin, end = span
    if now < end and done.begins.get(model.key) != begin:
        if _started(model, f"for {hours.words}"):
            found.append(model.name)
        return done.model_copy(update={"begins": {**done.begins, model.key: begin}})
    if now >= end and done.ends.get(model.key) != end and done.begins.get(model.key) == begin:
        return _ended(model, end, f"its hours are {hours.words}", done, found)
    return done


def _ended(model: Model, end: dt.datetime, why: str, done: _Done, found: list[str]) -> _Done:
    """Stop it; at the next look, where it answers, is being loaded, or cannot be stopped."""
    now = _as_it_is(model)
    is_done = now is None or _stays(now, end)
    if now and not is_done:
        is_done = now.state != State.STARTING and not use.is_busy(now.name) and _stopped(now, why)
        if is_done:
            found.append(now.name)
    return done.model_copy(update={"ends": {**done.ends, model.key: end}}) if is_done else done


def _stays(model: Model, end: dt.datetime) -> bool:
    """It does not run, is pinned, or somebody started it after its hours.

    One that failed may be about to come back.
    """
    is_later = (model.started_at or 0.0) > end.timestamp()
    return model.state == State.STOPPED or is_later or rules.of(model).is_pinned


def _started(model: Model, why: str) -> bool:
    """Is it started? What is said about it where not stands in the activity."""
    now = _as_it_is(model)
    if now is None or now.state not in (State.STOPPED, State.FAILED):
        return False
    try:
        actions.start(now, StartOptions())
    except BerthError as error:
        _log.warning("%s was not started %s: %s", model.name, why, error.message)
        return False
    return True


def _stopped(model: Model, why: str) -> bool:
    try:
        actions.stop(model, why=why)
    except BerthError as error:
        _log.warning("%s could not be stopped: %s", model.name, error.message)
        return False
    return True


def _as_it_is(model: Model) -> Model | None:
    """Looked at again: what was loaded before it may have taken minutes."""
    with contextlib.suppress(BerthError):
        return find_model(model.name, model.engine)
    return None


def _read() -> _Done | None:
    """None where nothing was written yet, or nobody can read it."""
    told = read_json(settings().home / "schedule.json")
    with contextlib.suppress(ValidationError):
        return None if told is None else _Done.model_validate(told)
    return None


def _write(done: _Done) -> None:
    with contextlib.suppress(OSError):
        write_text(settings().home / "schedule.json", done.model_dump_json())
