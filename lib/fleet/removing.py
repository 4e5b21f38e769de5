"""Removing a model so that it can be undone: marked first, carried out a moment later."""

import time

from lib.core import activity, patience
from lib.core.access import Action, require
from lib.core.activity import Kind
from lib.core.errors import BerthError, Conflict, NotFound
from lib.engines import all_engines, find_model
from lib.engines.base import Model, State
from lib.fleet import actions, removals
from lib.fleet.removals import UNDO_SECONDS, Removal
from lib.fleet.watch import Watch
from lib.jobs import jobs

DEPLOYMENT = "deploy"  # the kind of the jobs that may bring a model back


def remove_soon(*models: Model) -> None:
    """Stop the models, and remove them when nobody has undone that in UNDO_SECONDS.

    The first that cannot be stopped is kept, and so are those after it.
    """
    require(Action.REMOVE)
    for model in models:
        removals.require_undoable(model)
    for model, identity in zip(models, removals.identities(models), strict=True):
        removals.mark(model, identity)
        try:
            actions.stop(model)
        except BerthError:
            removals.take_back(model)
            raise


def undo(model: Model) -> bool:
    """It stays, stopped; False where it is too late."""
    require(Action.REMOVE)
    return removals.take_back(model)


class Removing(Watch):
    """Carries out what was asked for, of earlier dashboards too."""

    name, seconds = "removing", 1.0

    def __init__(self) -> None:
        super().__init__()
        self._since: dict[tuple[str, float], float] = {}  # on the monotonic clock

    def look(self, now: float | None = None) -> list[str]:
        """Remove those whose time is over; the names of what was removed.

        `now` is on the monotonic clock: one that is set back makes nobody wait for ever.
        """
        now = time.monotonic() if now is None else now
        unfinished = [removal for removal in removals.broken_off() if _carried_out(removal)]
        found = [*removals.waiting().values()]
        self._since = {_mark(one): self._since.get(_mark(one), now) for one in found}
        over = [one for one in found if self._is_over(one, now) and removals.begin(one)]
        return [one.model for one in (*unfinished, *(r for r in over if _carried_out(r)))]

    def _is_over(self, removal: Removal, now: float) -> bool:
        return not removal.left_seconds or now - self._since[_mark(removal)] >= UNDO_SECONDS


def _mark(removal: Removal) -> tuple[str, float]:
    return removal.key, removal.asked_at


def _carried_out(removal: Removal) -> bool:
    """Remove what was meant, if it is still there and nobody wants it after all."""
    try:
        with patience.of_a_command():
            model = find_model(removal.model, removal.engine)
            _require_same(removal, model)
            actions.remove(model)
    except NotFound:
        _tell_where_its_engine_is_gone(removal)
        return False
    except BerthError as error:
        activity.note(Kind.FAILED, removal.model, f"It was not removed. {error.message}", "Berth")
        return False
    finally:
        removals.end(removal)
    return True


def _tell_where_its_engine_is_gone(removal: Removal) -> None:
    """It is not there: nobody needs to know why, but where its engine has it still."""
    health = all_engines()[removal.engine].health()
    if not health.up:
        activity.note(Kind.FAILED, removal.model, f"It was not removed. {health.problem}", "Berth")


def _require_same(removal: Removal, model: Model) -> None:
    """Conflict where it is not what was to go, or is wanted after all."""
    if removals.identities([model]) != [removal.identity]:
        raise Conflict("Another model has its name now.")
    if model.state in (State.READY, State.STARTING):
        raise Conflict("It has been started since.")
    names = {model.source, model.stays_at, model.name} - {""}
    if any(job.details.get("model") in names for job in jobs.running(DEPLOYMENT)):
        raise Conflict("It is being deployed again.")
