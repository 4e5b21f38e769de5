"""Where the gateway finds a running model, without waiting for the engines each time."""

import asyncio
import contextlib
import time
from functools import partial
from typing import NamedTuple

from lib.api import callers
from lib.api.errors import NoSuchModel
from lib.api.pools import EVERYBODY, LOOKS
from lib.core.errors import BadInput, EngineDown
from lib.core.names import model_name, shown
from lib.engines import aliases, all_engines, all_models, titles
from lib.engines.base import Model, State, Upstream

FRESH_SECONDS = 1.0
LATER_SECONDS = 0.2  # a look beside a request's first token would delay that by milliseconds
# A model that has moved meanwhile refuses the connection, or the key, and is looked up again.
USABLE_SECONDS = 30.0
ALIAS_SECONDS, MOST_ALIASES = 5.0, 256


class Asleep(EngineDown, code="engine_down"):
    """The model is there and does not run."""

    def __init__(self, model: Model, have: str) -> None:
        super().__init__(
            f"The model “{model.name}” does not run. {have}",
            f"Start it on the Models page, or POST /api/models/{model.name}/start.",
        )
        self.model = model


class _Lookup(NamedTuple):
    began: float
    task: asyncio.Task[Upstream]
    is_due: bool = False  # the next one will soon begin


class _Meant(NamedTuple):
    at: float
    name: str


_lookups: dict[str, _Lookup] = {}
_meant: dict[str, _Meant] = {}  # what was asked for by a readable name


async def exact(name: str) -> str:
    """The id of the model that people call `name`; what is an id, or nobody's name, as it is."""
    if name in _lookups:
        return name
    known, now = _meant.get(name), time.monotonic()
    if known is None or now - known.at >= ALIAS_SECONDS:
        while len(_meant) >= MOST_ALIASES:
            _meant.pop(next(iter(_meant)))
        known = _meant[name] = _Meant(now, await LOOKS.run(EVERYBODY, _exact, name))
    return known.name


def _exact(name: str) -> str:
    models = all_models()
    return name if aliases.named(name, models) else titles.meant(name, models) or name


async def find(name: str) -> Upstream:
    """Where the model runs; NoSuchModel or Asleep with what runs instead.

    Engines block, so they are asked in a thread, once for all requests that come at the same time;
    an answer that is no longer fresh still serves, and the next one is fetched a little later.
    """
    known, now = _lookups.get(name), time.monotonic()
    age_seconds = now - known.began if known else USABLE_SECONDS
    if known is None or age_seconds >= USABLE_SECONDS:
        known = _begin(name)
    elif age_seconds >= FRESH_SECONDS and not known.is_due:
        _lookups[name] = known._replace(is_due=True)
        asyncio.get_running_loop().call_later(LATER_SECONDS, _begin, name)
    return await asyncio.shield(known.task)


def _begin(name: str) -> _Lookup:
    task = asyncio.ensure_future(LOOKS.run(EVERYBODY, look_up, name))
    task.add_done_callback(partial(_forget_failure, name))
    _lookups[name] = lookup = _Lookup(time.monotonic(), task)
    return lookup


def forget(name: str) -> None:
    """Ask again next time, because what was known did not hold."""
    _lookups.pop(name, None)


def _forget_failure(name: str, task: asyncio.Task[Upstream]) -> None:
    known = _lookups.get(name)
    if (task.cancelled() or task.exception()) and known is not None and known.task is task:
        forget(name)


def look_up(name: str) -> Upstream:
    """The same, blocking."""
    with contextlib.suppress(BadInput):  # what is no name is no model's name
        for engine in all_engines().values():
            found = engine.upstream(model_name(name))
            if found is not None:
                return found.model_copy(update={"engine": engine.name})
    models = all_models()
    offered = filter(callers.offers, models)
    running = sorted({model.name for model in offered if model.state == State.READY})
    have = f"Running now: {', '.join(running)}." if running else "No model runs now."
    if model := aliases.named(name, models):
        raise Asleep(model, have)
    raise NoSuchModel(f"There is no model “{shown(name)}”. {have}", "Name one that runs.")
