"""Streamlit's page and its scripts, compressed once and kept in memory.

Streamlit sends them as they are: 2.7 MB for a first visit, 0.9 MB here.
"""

import asyncio
import gzip
import mimetypes
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import first_page, first_paint
from lib.api.own_page import own

FOREVER = "public, immutable, max-age=31536000"

_PAGE_NAME = re.compile(r"[0-9]*[_ -]*(.*)\.py")
_SCRIPT = re.compile(rb"\./(static/[^\"]+\.(?:js|css))")
_COMPRESSIBLE = {".js", ".css", ".json", ".svg", ".html"}


def page_paths(root: Path) -> frozenset[str]:
    """The paths at which Streamlit shows a page: `/` and one for each file in pages/."""
    names = (_PAGE_NAME.fullmatch(path.name) for path in (root / "pages").glob("*.py"))
    return frozenset({"/", *(f"/{name[1].replace(' ', '_')}" for name in names if name)})


class _Packed:
    """A text as it is and compressed."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.packed = gzip.compress(text)


class Files:
    """The pages and the scripts, by path."""

    def __init__(self, folder: Path, pages: frozenset[str], ours: first_page.Ours) -> None:
        page = first_paint.dressed(own((folder / "index.html").read_bytes()))
        scripts = folder / "static" / "js"
        self.pages = pages
        self.visited = asyncio.Event()  # somebody has asked for a page
        self._pages = {
            (path, is_early): _Packed(first_page.made(page, scripts, ours, path, is_early=is_early))
            for path in pages
            for is_early in (False, True)
        }
        self._packed: dict[str, bytes] = {}
        self._scripts = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in (folder / "static").rglob("*")
            if path.suffix in _COMPRESSIBLE
        }

    @property
    def sent(self) -> list[bytes]:
        """Every page there is."""
        return [page.text for page in self._pages.values()]

    async def answer(self, path: str, headers: Headers) -> Response | None:
        """The file at this path; None where another should answer."""
        takes_gzip = "gzip" in headers.get("accept-encoding", "")
        if path in self.pages:
            self.visited.set()
            page = self._pages[path, _is_known(headers)]
            body = page.packed if takes_gzip else page.text
            return _response(body, "text/html", "no-cache", takes_gzip)
        if path not in self._scripts or not takes_gzip:
            return None
        if path not in self._packed:
            await asyncio.to_thread(self.pack, path)
        return _response(self._packed[path], _media_type(path), FOREVER, True)

    def pack(self, path: str) -> None:
        """Compress one file and keep it; blocks for up to 0.2 s."""
        self._packed[path] = gzip.compress(self._scripts[path].read_bytes(), 6)

    def pack_pages(self) -> None:
        """Compress what the pages name, before somebody waits for it."""
        named = {name for page in self.sent for name in _SCRIPT.findall(page)}
        for name in sorted(named):
            self.pack(f"/{name.decode()}")


def _is_known(headers: Headers) -> bool:
    """Does the browser have its id with this page, at the latest?

    With a link from another site it sends none and gets none (sharing/gate.py). A WebSocket opened
    before the health check, which brings it then, would be a stranger's.
    """
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


class Precompressed:
    """Pure ASGI: answers a GET for a known file; everything else goes on."""

    def __init__(self, app: ASGIApp, files: Files) -> None:
        self.app = app
        self.files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        response = None
        if scope["type"] == "http" and scope["method"] == "GET":
            response = await self.files.answer(scope["path"], Headers(scope=scope))
        await (response or self.app)(scope, receive, send)


def _media_type(path: str) -> str:
    return "text/javascript" if path.endswith(".js") else mimetypes.guess_type(path)[0] or ""


def _response(body: bytes, media_type: str, caching: str, packed: bool) -> Response:
    headers = {"cache-control": caching, "vary": "Accept-Encoding"}
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=media_type, headers=headers)
