"""/api/health and /api/system: is everything up, and how full is the machine."""

import asyncio
from collections import Counter
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib import VERSION
from lib.core import lifecycle
from lib.core.access import Action, Role, require, role
from lib.engines import all_engines, all_models
from lib.engines.base import Engine, Health
from lib.machine import sampler

PATIENCE_SECONDS = 2.0


async def health(request: Request) -> Response:
    """Whether Berth answers, and which engines do."""
    require(Action.LOOK)
    services = await asyncio.gather(*map(service, all_engines().values()))
    return JSONResponse(
        {
            "ok": True,
            "version": VERSION,
            "uptime_seconds": round(lifecycle.uptime_seconds(), 1),
            "services": [found for found in services if not found["is_absent"]],
        }
    )


async def machine(request: Request) -> Response:
    """What the machine is, how busy it is now, and what each engine's models hold."""
    require(Action.LOOK)
    return JSONResponse(await run_in_threadpool(_machine))


async def service(engine: Engine) -> dict[str, Any]:
    """One engine's name and health; one that hangs counts as down."""
    try:
        found = await asyncio.wait_for(asyncio.to_thread(engine.health), PATIENCE_SECONDS)
    except TimeoutError:
        found = Health(up=False, problem=f"No answer within {PATIENCE_SECONDS:.0f} s.")
    hidden = {"note"} if role() == Role.GUEST else set()  # it may name other machines
    return {"name": engine.name, "title": engine.title, **found.model_dump(exclude=hidden)}


def _machine() -> dict[str, Any]:
    held: Counter[str] = Counter()
    for model in all_models():
        held[model.engine] += model.memory_bytes or 0
    return {
        "machine": sampler.machine().model_dump(),
        "now": sampler.SAMPLER.latest().model_dump(),
        "engines": {name: {"memory_bytes": held[name]} for name in all_engines()},
    }


def routes() -> list[Route]:
    """Below /api."""
    return [Route("/health", health), Route("/system", machine)]
