"""Whether a program that names a model which does not run may have it started.

The owner's setting decides, for programs alone: a guest at a page is held to the guests' limits.
A model that has hours is not started outside them, and one that failed waits for somebody to look.
"""

import datetime as dt

from lib.core.access import Action, Role, require, role
from lib.core.errors import EngineDown
from lib.core.preferences import preferences
from lib.engines.base import Model, State
from lib.fleet import rules
from lib.sharing import limits


class NotForPrograms(EngineDown, code="engine_down"):
    """The owner starts models, programs do not."""


class OutsideHours(EngineDown, code="outside_hours"):
    """The model is to be in memory at other times."""


class HasFailed(EngineDown, code="engine_down"):
    """It ended by itself, or could not be loaded."""


def require_allowed(model: Model, key: str = "", now: dt.datetime | None = None) -> None:
    """An error that says why not, unless whoever acts now may have this model started.

    `key` is the id of the API key that the program came with.
    """
    require(Action.CHAT)
    if not preferences().starts_on_demand:
        raise NotForPrograms(
            f"The model “{model.name}” does not run, and programs may not start it here.",
            f"Start it on the Models page, or POST /api/models/{model.name}/start.",
        )
    if role() == Role.GUEST and not key:
        limits.require_loading(model)
    if model.state == State.FAILED:
        raise HasFailed(
            f"The model “{model.name}” does not run. {model.problem}".strip(),
            "Start it on the Models page, where its log is too.",
        )
    _require_hours(model, now or dt.datetime.now())  # hours are of this machine's own time


def _require_hours(model: Model, now: dt.datetime) -> None:
    hours = rules.of(model).hours
    if hours is None or model.state == State.STARTING:
        return
    span = hours.span(now)
    if span is None or now >= span[1]:
        raise OutsideHours(
            f"The model “{model.name}” is in memory from {hours.words}, and not now.",
            "Ask again then, or start it by hand on the Models page.",
        )
