"""Every route below /api."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from lib.api import attachments, deploy, docs, guests, models, replies, scripts, sharing, system


def routes() -> list[BaseRoute]:
    """A new module of routes is added here; its paths are relative to /api."""
    below = [*system.routes(), *deploy.routes(), *models.routes(), *replies.routes()]
    below += attachments.routes()
    below += sharing.routes()
    every = [*below, *docs.routes(below), *scripts.routes(), *replies.sockets(), *guests.sockets()]
    return [Mount("/api", routes=every), Route("/api", nothing)]


async def nothing(_request: Request) -> Response:
    """Streamlit would answer /api itself with a page."""
    raise HTTPException(404)
