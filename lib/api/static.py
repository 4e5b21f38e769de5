"""Streamlit's page and its scripts, compressed once and kept in memory.

Streamlit sends them as they are: 2.7 MB for a first visit, 1.1 MB here. The page also gets links
to the scripts that its first screen will ask for, so that the browser need not find out one wave
after the other. Their names carry hashes; what is not found is left out.
"""

import asyncio
import gzip
import mimetypes
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import first_paint

# The elements of the first screens, and what a reply may need, by the names of their scripts.
SOON = (
    *("BidiComponent", "Button", "ChatInput", "Html", "Metric", "Progress", "Selectbox"),
    "TextInput",
)
LATER = ("StreamlitSyntaxHighlighter",)
FOREVER = "public, immutable, max-age=31536000"

_URL = "./static/js/"
_PAGE_NAME = re.compile(r"[0-9]*[_ -]*(.*)\.py")
_SCRIPT = re.compile(rb"\./(static/[^\"]+\.(?:js|css))")
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([^"']+\.js)["']""")
_COMPRESSIBLE = {".js", ".css", ".json", ".svg", ".html"}


def page_paths(root: Path) -> frozenset[str]:
    """The paths at which Streamlit shows a page: `/` and one for each file in pages/."""
    names = (_PAGE_NAME.fullmatch(path.name) for path in (root / "pages").glob("*.py"))
    return frozenset({"/", *(f"/{name[1].replace(' ', '_')}" for name in names if name)})


def hinted(page: bytes, scripts: Path) -> bytes:
    """The page with links to the scripts it will need soon, and to some that it may need later."""
    soon = _with_imports(_found(SOON, scripts))
    missing = [path.name for path in soon if path.name.encode() not in page]
    links = [f'<link rel="modulepreload" crossorigin href="{_URL}{name}">' for name in missing]
    links += [
        f'<link rel="prefetch" as="script" crossorigin href="{_URL}{path.name}">'
        for path in _found(LATER, scripts)
    ]
    return page.replace(b"</head>", "".join(links).encode() + b"</head>", 1)


def _found(names: Iterable[str], scripts: Path) -> list[Path]:
    return [path for name in names for path in scripts.glob(f"{name}.*.js")]


def _with_imports(paths: Iterable[Path]) -> list[Path]:
    """The scripts and all that they import, directly or not; what is absent is left out."""
    found: dict[Path, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found[path] = None
            imported = _IMPORT.findall(path.read_text(encoding="utf-8"))
            waiting += [path.with_name(name) for name in imported]
    return list(found)


class Files:
    """The page and the scripts, by path."""

    def __init__(self, folder: Path, pages: frozenset[str]) -> None:
        self.page = hinted((folder / "index.html").read_bytes(), folder / "static" / "js")
        self.page = first_paint.dressed(self.page)
        self.pages = pages
        self.visited = asyncio.Event()  # somebody has asked for a page
        self._packed_page = gzip.compress(self.page)
        self._packed: dict[str, bytes] = {}
        self._scripts = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in (folder / "static").rglob("*")
            if path.suffix in _COMPRESSIBLE
        }

    async def answer(self, path: str, takes_gzip: bool) -> Response | None:
        """The file at this path; None where another should answer."""
        if path in self.pages:
            self.visited.set()
            page = self._packed_page if takes_gzip else self.page
            return _response(page, "text/html", "no-cache", takes_gzip)
        if path not in self._scripts or not takes_gzip:
            return None
        if path not in self._packed:
            await asyncio.to_thread(self.pack, path)
        return _response(self._packed[path], _media_type(path), FOREVER, True)

    def pack(self, path: str) -> None:
        """Compress one file and keep it; blocks for up to 0.2 s."""
        self._packed[path] = gzip.compress(self._scripts[path].read_bytes(), 6)

    def pack_page(self) -> None:
        """Compress what the page names, before somebody waits for it."""
        for name in _SCRIPT.findall(self.page):
            self.pack(f"/{name.decode()}")


class Precompressed:
    """Pure ASGI: answers a GET for a known file; everything else goes on."""

    def __init__(self, app: ASGIApp, files: Files) -> None:
        self.app = app
        self.files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        response = None
        if scope["type"] == "http" and scope["method"] == "GET":
            takes_gzip = "gzip" in Headers(scope=scope).get("accept-encoding", "")
            response = await self.files.answer(scope["path"], takes_gzip)
        await (response or self.app)(scope, receive, send)


def _media_type(path: str) -> str:
    return "text/javascript" if path.endswith(".js") else mimetypes.guess_type(path)[0] or ""


def _response(body: bytes, media_type: str, caching: str, packed: bool) -> Response:
    headers = {"cache-control": caching, "vary": "Accept-Encoding"}
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=media_type, headers=headers)
