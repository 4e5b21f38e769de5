"""Where the gateway finds a running model, without waiting for the engines each time."""

import asyncio
import contextlib
import time
from functools import partial
from typing import NamedTuple

from lib.api.errors import NoSuchModel
from lib.api.pools import EVERYBODY, LOOKS
from lib.core.errors import BadInput, EngineDown
from lib.core.names import model_name, shown
from lib.engines import all_engines, all_models
from lib.engines.base import State, Upstream

FRESH_SECONDS = 1.0
# A model that has moved meanwhile refuses the connection, or the key, and is looked up again.
USABLE_SECONDS = 30.0


class _Lookup(NamedTuple):
    began: float
    task: asyncio.Task[Upstream]


_lookups: dict[str, _Lookup] = {}


async def find(name: str) -> Upstream:
    """Where the model runs; NoSuchModel or EngineDown with what runs instead.

    Engines block, so they are asked in a thread, once for all requests that come at the same time;
    an answer that is no longer fresh still serves while the next one is fetched.
    """
    known, now = _lookups.get(name), time.monotonic()
    age_seconds = now - known.began if known else USABLE_SECONDS
    if age_seconds >= FRESH_SECONDS:
        task = asyncio.ensure_future(LOOKS.run(EVERYBODY, look_up, name))
        task.add_done_callback(partial(_forget_failure, name))
        _lookups[name] = _Lookup(now, task)
    if known is None or age_seconds >= USABLE_SECONDS:
        known = _lookups[name]
    return await asyncio.shield(known.task)


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
    running = sorted({model.name for model in models if model.state == State.READY})
    have = f"Running now: {', '.join(running)}." if running else "No model runs now."
    if any(model.name == name for model in models):
        raise EngineDown(
            f"The model “{name}” does not run. {have}",
            f"Start it on the Models page, or POST /api/models/{name}/start.",
        )
    raise NoSuchModel(f"There is no model “{shown(name)}”. {have}", "Name one that runs.")
