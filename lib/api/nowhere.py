"""Addresses at which there is nothing: told in Berth's words, where Streamlit would show a page.

It shows its own page at every path, and over it that a file of an app was not found.
"""

from collections.abc import Iterable

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.core.errors import NotFound
from lib.sharing.gate import refuse

STREAMLITS = ("static", "media", "_stcore", "favicon.png")


class Nowhere:
    """Pure ASGI: passes on what Streamlit has something for."""

    def __init__(self, app: ASGIApp, pages: Iterable[str]) -> None:
        self.app = app
        self.pages = {page.lower(): page for page in pages}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, lead on to the page that was meant, or pass on."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or path in self.pages.values() or _is_streamlits(path):
            await self.app(scope, receive, send)
        elif page := self.pages.get(path.rstrip("/").lower()):
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{page}?{query}" if query else page)(scope, receive, send)
        else:
            error = NotFound("There is nothing at this address.", "Open Berth's start page.")
            await refuse(error, scope, receive, send)


def _is_streamlits(path: str) -> bool:
    return path.lstrip("/").partition("/")[0] in STREAMLITS or "/_stcore/" in path
