"""/api/start: how Berth is started again; /api/quit: it ends."""

import asyncio

from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api.errors import read_model
from lib.api.operation import ENGINES, operation
from lib.core.access import Action, carried, require
from lib.core.settings import ROOT
from lib.core.values import Frozen
from lib.fleet import quitting
from lib.login import at_login, icon


class Start(Frozen):
    """What starts Berth on this machine."""

    command: str  # in a terminal
    icon: str  # where there is something to click; "" for nowhere
    at_login: bool


class Quit(Frozen):
    """What POST /api/quit takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stops_models: bool = False


class Ending(Frozen):
    """The answer: Berth ends in a moment."""

    ok: bool
    stopped: tuple[str, ...]  # models


@operation(Start)
async def start(request: Request) -> Response:
    """What starts Berth again, once it has ended."""
    require(Action.CONFIGURE)
    told = await asyncio.to_thread(carried(_start))
    return JSONResponse(told.model_dump(), headers={"Cache-Control": "no-store"})


@operation(Ending, body=Quit, errors=ENGINES, example={"stops_models": False})
async def end(request: Request) -> Response:
    """End Berth; models that run go on, unless they are to be stopped first."""
    require(Action.CONFIGURE)
    wanted = await read_model(request, Quit)
    stopped = await asyncio.to_thread(carried(_end), wanted.stops_models)
    return JSONResponse({"ok": True, "stopped": stopped})


def _start() -> Start:
    is_there = icon.look().is_on
    return Start(
        command=str(ROOT / "setup.sh"),
        icon=icon.place() if is_there else "",
        at_login=at_login.look().is_on,
    )


def _end(stops_models: bool) -> list[str]:
    stopped = quitting.stop_models() if stops_models else []
    quitting.leave()
    return stopped


def routes() -> list[Route]:
    """Below /api."""
    return [Route("/start", start), Route("/quit", end, methods=["POST"])]
