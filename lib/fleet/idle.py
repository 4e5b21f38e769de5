"""Models that nobody has used for a while are stopped, where that was decided."""

import logging
import threading
import time

from lib.core.access import Role, acting
from lib.core.errors import BerthError
from lib.engines import all_models, llamacpp
from lib.engines.base import Model, State
from lib.fleet import actions, rules, use

LOOK_SECONDS = 15.0
MINUTE = 60.0

_log = logging.getLogger(__name__)


class Watch:
    """Looks now and then, for as long as the dashboard runs."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._seen: dict[tuple[str, str, float | None], float] = {}  # runs, by when first seen

    def look(self, now: float | None = None) -> list[str]:
        """Stop what its time is over for; the names of those that were stopped.

        `now` is on the monotonic clock: a clock that is set stops no model.
        """
        now = time.monotonic() if now is None else now
        models = [m for m in all_models() if m.state == State.READY and not _is_others(m)]
        self._seen = {_run(model): self._seen.get(_run(model), now) for model in models}
        return [model.name for model in models if self._is_over(model, now) and _stopped(model)]

    def idle_seconds(self, model: Model, now: float) -> float:
        """For how long nobody has used it; 0 while somebody does."""
        if use.is_busy(model.name):
            return 0.0
        return now - max(use.last_used(model.name) or 0.0, self._seen.get(_run(model), now))

    def _is_over(self, model: Model, now: float) -> bool:
        minutes = rules.of(model).stops_after_minutes
        return 0 < minutes * MINUTE <= self.idle_seconds(model, now)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._looking, name="idle", daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def _looking(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with acting(Role.OWNER):
                self.look()


def _is_others(model: Model) -> bool:
    """May anybody use it past Berth? Only the built-in engine's children have a key of ours."""
    return model.engine != llamacpp.NAME or model.is_elsewhere or bool(model.place)


def _run(model: Model) -> tuple[str, str, float | None]:
    return model.engine, model.name, model.started_at


def _stopped(model: Model) -> bool:
    try:
        minutes = rules.of(model).stops_after_minutes
        actions.stop(model, why=f"nobody used it for {minutes} min")
    except BerthError as error:
        _log.warning("%s could not be stopped: %s", model.name, error.message)
        return False
    _log.info("stopped %s, which nobody used", model.name)
    return True
