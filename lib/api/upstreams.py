"""Where the gateway finds a running model; asked of the engines at most once a second."""

import asyncio
import contextlib
import time
from typing import NamedTuple

from lib.engines import all_engines, all_models
from lib.engines.base import State, Upstream
from lib.errors import BadInput, EngineDown, NotFound
from lib.names import model_name, shown

KNOWN_SECONDS = 1.0


class _Lookup(NamedTuple):
    until: float
    task: "asyncio.Task[Upstream]"


_lookups: dict[str, _Lookup] = {}


async def find(name: str) -> Upstream:
    """Where the model runs; NotFound or EngineDown with what runs instead.

    Requests that come at the same time share one lookup, which runs in a thread.
    """
    known = _lookups.get(name)
    if known is None or known.until < time.monotonic():
        task = asyncio.ensure_future(asyncio.to_thread(look_up, name))
        known = _lookups[name] = _Lookup(time.monotonic() + KNOWN_SECONDS, task)
    try:
        return await asyncio.shield(known.task)
    except (NotFound, EngineDown):
        forget(name)
        raise


def forget(name: str) -> None:
    """Ask again next time: the answer was no, or did not hold."""
    _lookups.pop(name, None)


def look_up(name: str) -> Upstream:
    """The same, blocking."""
    with contextlib.suppress(BadInput):  # what is no name is no model's name
        for engine in all_engines().values():
            found = engine.upstream(model_name(name))
            if found is not None:
                return found
    models = all_models()
    running = sorted({model.name for model in models if model.state == State.READY})
    have = f"Running now: {', '.join(running)}." if running else "No model runs now."
    if any(model.name == name for model in models):
        raise EngineDown(
            f"The model “{name}” does not run. {have}",
            f"Start it on the Models page, or POST /api/models/{name}/start.",
        )
    raise NotFound(f"There is no model “{shown(name)}”. {have}", "Name one that runs.")
