"""Models that nobody has used for a while are stopped, where that was decided."""

import logging
import time

from lib.core import activity
from lib.core.activity import Kind
from lib.core.errors import BerthError
from lib.engines import all_models, llamacpp
from lib.engines.base import Model, State
from lib.engines.llamacpp import measured, records
from lib.engines.llamacpp.work import Work, work_of
from lib.fleet import actions, rules, use
from lib.fleet.watch import Watch

MINUTE = 60.0

_Run = tuple[str, str]
_log = logging.getLogger(__name__)


class Idle(Watch):
    """Stops what its time is over for, and notes what has died and how fast the others write."""

    name, seconds = "idle", 15.0

    def __init__(self) -> None:
        super().__init__()
        self._used: dict[_Run, tuple[Work | None, float]] = {}  # what was seen last, and since when
        self._ran: set[_Run] = set()

    def look(self, now: float | None = None) -> list[str]:
        """Stop what its time is over for; the names of those that were stopped.

        `now` is on the monotonic clock: a clock that is set stops no model.
        """
        now = time.monotonic() if now is None else now
        every = all_models()
        self._tell_of_the_dead(every)
        _note_speeds(every)
        models = [m for m in every if m.state == State.READY and not _is_others(m)]
        ruled = [model for model in models if rules.of(model).stops_after_minutes]
        self._used = {_run(model): self._seen(model, now) for model in ruled}
        return [model.name for model in ruled if self._is_over(model, now) and _stopped(model)]

    def _seen(self, model: Model, now: float) -> tuple[Work | None, float]:
        """What its engine tells of its work, and since when that is so: others may use it, too."""
        work = work_of(model.name)
        before, since = self._used.get(_run(model), (None, now))
        is_unused = work is not None and work == before and not work.is_busy
        return work, since if is_unused else now

    def _is_over(self, model: Model, now: float) -> bool:
        minutes = rules.of(model).stops_after_minutes
        if use.is_busy(model.name):
            return False
        idle_seconds = now - max(use.last_used(model.name) or 0.0, self._used[_run(model)][1])
        return 0 < minutes * MINUTE <= idle_seconds

    def _tell_of_the_dead(self, every: list[Model]) -> None:
        """A model that answered and failed since: nobody may have looked."""
        for model in every:
            if model.state == State.FAILED and _run(model) in self._ran:
                activity.note(Kind.FAILED, model.name, model.problem, who="Berth")
        self._ran = {_run(model) for model in every if model.state == State.READY}


def _note_speeds(every: list[Model]) -> None:
    """By their own count, whoever asks them: a model that nobody looks at is measured too."""
    for model in every:
        record = records.read(model.name) if model.engine == llamacpp.NAME and model.url else None
        if record:
            measured.note(record)
            measured.note_speed(record)


def _is_others(model: Model) -> bool:
    """May anybody use it past Berth? Only the built-in engine's children have a key of ours."""
    return model.engine != llamacpp.NAME or model.is_elsewhere or bool(model.place)


def _run(model: Model) -> _Run:
    """A failed one has no start any more."""
    return model.engine, model.name


def _stopped(model: Model) -> bool:
    try:
        minutes = rules.of(model).stops_after_minutes
        actions.stop(model, why=f"nobody used it for {minutes} min")
    except BerthError as error:
        _log.warning("%s could not be stopped: %s", model.name, error.message)
        return False
    _log.info("stopped %s, which nobody used", model.name)
    return True
