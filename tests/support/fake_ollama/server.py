"""The fake Ollama's door: who may ask, which routes there are, and how errors leave."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from tests.support.fake_ollama import go
from tests.support.fake_ollama.go import Answer
from tests.support.fake_ollama.models import Models
from tests.support.fake_ollama.running import Running
from tests.support.fake_ollama.v1 import OpenAI, v1_error
from tests.support.fake_ollama.world import Call, World
from tests.support.fake_server import LIFETIME_SECONDS, controls

LOCAL = ("localhost", "127.0.0.1", "::1")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """The application around one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30, middlewares=[self.around])
        running = Running(self.world)
        app.add_routes(
            [
                web.get("/", self.is_running),
                web.get("/api/version", self.version),
                *controls(self.world),
                *Models(self.world).routes(),
                *running.routes(),
                *OpenAI(self.world, running).routes(),
            ]
        )
        app.on_response_prepare.append(without_invented_headers)
        return app

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Strangers get nothing, errors their own form; the tests' own routes are let through."""
        do = self.world.behaviour
        if request.path.startswith("/fake/"):
            return await handler(request)
        if do.stuck and request.path.startswith(do.stuck):
            self.world.calls.append(Call(request.method, request.path, None, "stuck"))
            await asyncio.sleep(LIFETIME_SECONDS)
        origin = request.headers.get("Origin", "")
        if not is_local(f"//{request.host}") or (origin and not is_local(origin)):
            return web.Response(status=403)
        if do.odd and request.method == "GET":
            return web.json_response(text=do.odd)
        response = await answered(request, handler)
        if origin and not response.prepared:
            response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        return response

    async def is_running(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def version(self, _: web.Request) -> web.Response:
        return go.answer({"version": self.world.behaviour.version})


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or its error in the form of the route."""
    try:
        return await handler(request)
    except Answer as error:
        if "call" in request:
            request["call"].ended = "refused"
        if request.path.startswith("/v1/"):
            return go.bare(v1_error(error), error.status)
        return go.answer({"error": error.said}, error.status)
    except web.HTTPNotFound:
        return go.plain(404, "404 page not found")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods - {"HEAD"}))
        return go.plain(405, "405 method not allowed", {"Allow": allowed})


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOCAL


async def without_invented_headers(request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp gives an empty answer a type; the real server does not."""
    if isinstance(response, web.Response) and not response.body:
        response.headers.popall("Content-Type", None)
