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
from lib.engines import all_models
from lib.engines.base import Model, StartOptions, State
from lib.fleet import actions, rules, use
from lib.fleet.watch import Watch
from lib.machine.boot import boot

_log = logging.getLogger(__name__)


class _Done(Frozen):
    """The last begin and end that were acted on, by `Model.key`, and the last start of it all."""

    boot: str = ""
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
            _write(_Done(boot=boot()))
            return []
        found = [] if before.boot == boot() else _booted(every)
        done = before.model_copy(update={"boot": boot()})
        for model in every:
            done = _by_the_clock(model, now, done, found)
        if done != before:
            _write(done)
        return found


def _booted(every: list[Model]) -> list[str]:
    wanted = [model for model in every if rules.of(model).starts_at_boot]
    return [model.name for model in wanted if _started(model, "with the machine")]


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
        if use.is_busy(model.name):
            return done  # at the next look
        if _stopped(model, end, f"its hours are {hours.words}"):
            found.append(model.name)
        return done.model_copy(update={"ends": {**done.ends, model.key: end}})
    return done


def _started(model: Model, why: str) -> bool:
    """Is it started? What is said about it where not stands in the activity."""
    if model.state not in (State.STOPPED, State.FAILED):
        return False
    try:
        actions.start(model, StartOptions())
    except BerthError as error:
        _log.warning("%s was not started %s: %s", model.name, why, error.message)
        return False
    return True


def _stopped(model: Model, end: dt.datetime, why: str) -> bool:
    """Not one that somebody started after its hours."""
    is_later = (model.started_at or 0.0) > end.timestamp()
    if model.state != State.READY or is_later or rules.of(model).is_pinned:
        return False
    try:
        actions.stop(model, why=why)
    except BerthError as error:
        _log.warning("%s could not be stopped: %s", model.name, error.message)
        return False
    return True


def _read() -> _Done | None:
    """None where nothing was written yet, or nobody can read it."""
    told = read_json(settings().home / "schedule.json")
    with contextlib.suppress(ValidationError):
        return None if told is None else _Done.model_validate(told)
    return None


def _write(done: _Done) -> None:
    with contextlib.suppress(OSError):
        write_text(settings().home / "schedule.json", done.model_dump_json())
