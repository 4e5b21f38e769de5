"""Every route below /api."""

from starlette.routing import BaseRoute

from lib.api import models, replies, system


def routes() -> list[BaseRoute]:
    """The paths in the modules are relative to /api. A new module of routes is added here."""
    return [*system.routes(), *models.routes(), *replies.routes()]
