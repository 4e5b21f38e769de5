"""/api/models: list, look at, start, stop and remove the models of every engine.

Engines block, so every call into them runs in a thread.
"""

from typing import Any

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api.answers import KnownModel, KnownModels, Removed, Removing
from lib.api.errors import read_model, read_query
from lib.api.operation import ENGINES, operation
from lib.core.access import (
    Action,
    Role,
    require,
    role,
)
from lib.engines import all_models, find_model
from lib.engines.base import Model, StartOptions
from lib.fleet import actions
from lib.sharing import for_guests
from lib.slots import job as slot_job

PRIVATE = {"url", "log", "source", "stays_at", "remove_with", "activity"}  # matters of the owner


class OfEngine(BaseModel):
    """Which of two models of one name."""

    engine: str = Field(default="", description="Where two engines have a model of that name.")


@operation(KnownModels)
async def index(request: Request) -> Response:
    """Every model, running ones first."""
    require(Action.LOOK)
    models = await run_in_threadpool(all_models)
    return JSONResponse({"models": [described(model, request) for model in models]})


@operation(KnownModel, query=OfEngine)
async def show(request: Request) -> Response:
    """One model with the addresses it can be reached at."""
    require(Action.LOOK)
    return JSONResponse(described(await _named(request), request))


@operation(KnownModel, body=StartOptions, query=OfEngine, errors=ENGINES, example={"context": 4096})
async def start(request: Request) -> Response:
    """Load the model; answers when it answers. The body is StartOptions, or nothing."""
    require(Action.RUN)
    options = await read_model(request, StartOptions)
    model = await _named(request)
    await run_in_threadpool(actions.start, model, options)
    return JSONResponse(described(await _named(request), request))


@operation(KnownModel, query=OfEngine, errors=ENGINES)
async def stop(request: Request) -> Response:
    """Unload the model; nothing happens where it does not run."""
    require(Action.RUN)
    model = await _named(request)
    await run_in_threadpool(actions.stop, model)
    return JSONResponse(described(await _named(request), request))


@operation(Removed, more={202: Removing}, query=OfEngine, errors=ENGINES)
async def remove(request: Request) -> Response:
    """Stop the model and delete its files; 202 with the job that does it where it is on a slot."""
    require(Action.REMOVE)
    model = await _named(request)
    if model.remove_with:
        job = await run_in_threadpool(slot_job.removal, model)
        return JSONResponse({"removing": model.name, "job": job.id}, status_code=202)
    await run_in_threadpool(actions.remove, model)
    stays = {"stays_at": model.stays_at} if model.stays_at else {}
    return JSONResponse({"removed": model.name, "freed_bytes": model.frees_bytes, **stays})


def described(model: Model, request: Request) -> dict[str, Any]:
    """The model, with the gateway's address beside the engine's own; for guests, neither."""
    if role() != Role.OWNER:
        return for_guests.of_model(model).model_dump(mode="json", exclude=PRIVATE)
    gateway = f"{request.url.scheme}://{request.url.netloc}/v1"
    return {**model.model_dump(mode="json"), "gateway_url": gateway}


async def _named(request: Request) -> Model:
    """The model of the path; `?engine=` chooses where two engines have one of that name."""
    engine = read_query(request, OfEngine).engine
    return await run_in_threadpool(find_model, request.path_params["name"], engine)


def routes() -> list[Route]:
    """Below /api. A name may contain slashes."""
    return [
        Route("/models", index),
        Route("/models/{name:path}/start", start, methods=["POST"]),
        Route("/models/{name:path}/stop", stop, methods=["POST"]),
        Route("/models/{name:path}", show),
        Route("/models/{name:path}", remove, methods=["DELETE"]),
    ]
