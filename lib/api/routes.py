"""Every route below /api, and what answers there before Streamlit does.

Streamlit's own layers would answer some paths in their own words, and each costs time.
"""

from collections.abc import Iterable, Iterator, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import (
    attachments,
    chat,
    deploy,
    docs,
    guests,
    keys,
    life,
    models,
    replies,
    requests,
    scripts,
    sharing,
    system,
)
from lib.api.errors import HANDLERS, WrongMethod, on_berth_error

SOCKETS: Sequence[WebSocketRoute] = (*replies.sockets(), *guests.sockets())


def described() -> list[Route]:
    """A new module of routes is added here; its paths are relative to /api."""
    found = [*system.routes(), *deploy.routes(), *models.routes(), *chat.routes()]
    found += replies.routes()
    found += attachments.routes()
    found += keys.routes()
    found += requests.routes()
    found += sharing.routes()
    found += scripts.routes()
    found += life.routes()
    return found


def routes() -> list[BaseRoute]:
    """All of them, with those about themselves, and what answers other methods."""
    found = described()
    found += docs.routes(found, SOCKETS)
    below = Router([*found, *_otherwise(found), *SOCKETS], redirect_slashes=False)
    return [Mount("/api", app=below), Route("/api", nothing)]


async def nothing(_request: Request) -> Response:
    """Without it, /api would be led on to /api/."""
    raise HTTPException(404)


def _otherwise(found: Iterable[Route]) -> Iterator[Route]:
    """For each path an answer to the methods that it has not."""
    allowed: dict[str, set[str]] = {}
    for route in found:
        allowed.setdefault(route.path, set()).update(route.methods or ())
    for path, methods in allowed.items():
        yield Route(path, Otherwise(methods))


class Otherwise:
    """What a path says to a method that it does not have."""

    def __init__(self, methods: Iterable[str]) -> None:
        self._allowed = ", ".join(sorted({*methods, "OPTIONS"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """OPTIONS asks which there are; other websites are told nothing more."""
        request = Request(scope, receive)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self._allowed})
        error = WrongMethod(request.method, self._allowed)
        answer = await on_berth_error(request, error)
        answer.headers["Allow"] = self._allowed
        return answer


class Api:
    """Pure ASGI: answers what is below /api; everything else goes on to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._own = Starlette(routes=routes(), exception_handlers=HANDLERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the lifespan is the app's."""
        is_ours = scope["type"] != "lifespan" and f"{scope['path']}/".startswith("/api/")
        await (self._own if is_ours else self.app)(scope, receive, send)
