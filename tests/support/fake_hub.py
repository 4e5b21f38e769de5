"""A small real Hub and package index, as slow, rude or broken as a test wishes.

In a thread:

    with FakeHub() as hub:
        hub.add("org/name", "main", "model.gguf", data, Manner(die_after=1000, times=1))
        hub.add_wheel("some-package", "some_package-1.0-py3-none-any.whl", wheel)
        ... hub.url, hub.index_url, hub.requests

As a process, until it is ended: `python -m tests.support.fake_hub SPEC.json`, which prints its
address first. The specification is {"files": [{"repo", "revision", "name", "path", "manner": {}}],
"wheels": [{"project", "path", "manner": {}}]}.

A new kind of page is one more entry in `FakeHub.routes`.
"""

import contextlib
import hashlib
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

CHUNK_BYTES = 16_384
JSON_INDEX = "application/vnd.pypi.simple.v1+json"


@dataclass
class Manner:
    """How a file is served; the faults apply to the first `times` requests, then no more."""

    bytes_per_second: int = 0  # 0: at once; a piece with an end, as of a header, always is
    stall_after: int | None = None  # bytes of an answer, then silence
    die_after: int | None = None  # bytes of an answer, then the connection is closed
    is_wrong: bool = False  # right size, wrong bytes
    status: int = 0  # answer this instead
    has_ranges: bool = True
    redirect_to: str = ""  # another server, as the Hub sends one to its storage
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1_000_000


@dataclass
class Served:
    """A file and its manner."""

    data: bytes
    manner: Manner
    asked: int = 0

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Request:
    """What somebody asked."""

    method: str
    path: str
    headers: Mapping[str, str]


class FakeHub:
    """The server; files may be added, and manners changed, while it runs."""

    def __init__(self, port: int = 0, html_index: bool = False) -> None:
        self.files: dict[str, Served] = {}
        self.projects: dict[str, list[str]] = {}
        self.requests: list[Request] = []
        self.html_index = html_index
        self.stopping = threading.Event()
        self.routes: list[tuple[re.Pattern[str], Callable[[Handler, re.Match[str]], None]]] = [
            (re.compile(r"/simple/([^/]+)/"), _project_page),
            (re.compile(r"/(?:[^/]+/[^/]+/resolve|wheels)/.+"), _file),
        ]
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_for(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def index_url(self) -> str:
        return f"{self.url}/simple"

    def add(
        self, repo: str, revision: str, name: str, data: bytes, manner: Manner | None = None
    ) -> str:
        """Serve a file of a repository; returns its address."""
        return self._serve(f"/{repo}/resolve/{revision}/{name}", data, manner)

    def add_wheel(
        self, project: str, filename: str, data: bytes, manner: Manner | None = None
    ) -> str:
        """Serve a wheel and list it on its project's page."""
        self.projects.setdefault(project, []).append(filename)
        return self._serve(f"/wheels/{filename}", data, manner)

    def asked_for(self, part_of_path: str) -> list[Request]:
        return [request for request in self.requests if part_of_path in request.path]

    def _serve(self, path: str, data: bytes, manner: Manner | None) -> str:
        self.files[path] = Served(data, manner or Manner())
        return self.url + path

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        path = unquote(self.path.partition("?")[0])
        self.hub.requests.append(Request(self.command, self.path, dict(self.headers.items())))
        for pattern, answer in self.hub.routes:
            if match := pattern.fullmatch(path):
                return answer(self, match)
        return self.reply(404, b"not found")

    do_HEAD = do_GET

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the requests are in `hub.requests`."""


def _handler_for(hub: FakeHub) -> type[Handler]:
    return type("Handler", (Handler,), {"hub": hub})


def _project_page(handler: Handler, match: re.Match[str]) -> None:
    """A project's page: JSON where the client understands that and the index has it, else HTML."""
    hub = handler.hub
    names = hub.projects.get(match[1])
    if names is None:
        return handler.reply(404, b"no such project")
    if hub.html_index or JSON_INDEX not in handler.headers.get("Accept", ""):
        links = (
            f'<a href="../../wheels/{n}#sha256={hub.files["/wheels/" + n].sha256}">{n}</a><br/>'
            for n in names
        )
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        return handler.reply(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
    files = [
        {
            "filename": name,
            "url": f"{hub.url}/wheels/{name}",
            "hashes": {"sha256": hub.files[f"/wheels/{name}"].sha256},
            "requires-python": None,
            "yanked": False,
        }
        for name in names
    ]
    page = json.dumps({"meta": {"api-version": "1.1"}, "name": match[1], "files": files})
    return handler.reply(200, page.encode(), {"Content-Type": JSON_INDEX})


def _file(handler: Handler, match: re.Match[str]) -> None:
    served = handler.hub.files.get(match[0])
    if served is None:
        return handler.reply(404, b"no such file")
    served.asked += handler.command == "GET"
    manner = served.manner if served.asked <= served.manner.times else Manner()
    marks = {"ETag": f'"{served.sha256[:32]}"', **manner.headers}
    if not match[0].startswith("/wheels/"):
        marks["X-Linked-ETag"] = f'"{served.sha256}"'
    if manner.redirect_to:
        return handler.reply(302, b"", {**marks, "Location": manner.redirect_to})
    if manner.status:
        return handler.reply(manner.status, b"no", manner.headers)
    data = bytes(len(served.data)) if manner.is_wrong else served.data
    start, end = _wanted(handler, manner, len(data))
    if start and start >= len(data):
        return handler.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    headers = {**marks, "Content-Length": str(end - start)}
    is_part = end - start < len(data)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    handler.head(206 if is_part else 200, headers)
    if handler.command != "HEAD":
        is_piece = handler.headers.get("Range", "-")[-1].isdigit()
        _send(handler, data[start:end], manner, 0 if is_piece else manner.bytes_per_second)
    return None


def _wanted(handler: Handler, manner: Manner, size: int) -> tuple[int, int]:
    """From which byte to before which one, by `Range: bytes=7-` or `bytes=7-99`."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if not match or not manner.has_ranges:
        return 0, size
    return int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)


def _send(handler: Handler, data: bytes, manner: Manner, speed: int) -> None:
    """The body, until the manner says otherwise; a client that leaves is no error."""
    limits = [limit for limit in (manner.stall_after, manner.die_after) if limit is not None]
    end = min([*limits, len(data)])
    step = max(1, min(CHUNK_BYTES, speed // 20)) if speed else CHUNK_BYTES
    with contextlib.suppress(OSError):
        for begin in range(0, end, step):
            piece = data[begin : min(begin + step, end)]
            handler.wfile.write(piece)
            if speed:
                handler.hub.stopping.wait(len(piece) / speed)
        if end == manner.stall_after:
            handler.hub.stopping.wait(60)


def main(spec: Path) -> None:
    """Serve what the specification names until SIGTERM."""
    with FakeHub() as hub:
        wanted = json.loads(spec.read_text(encoding="utf-8"))
        for file in wanted.get("files", []):
            data = Path(file["path"]).read_bytes()
            manner = Manner(**file.get("manner", {}))
            hub.add(file["repo"], file["revision"], file["name"], data, manner)
        for wheel in wanted.get("wheels", []):
            path = Path(wheel["path"])
            manner = Manner(**wheel.get("manner", {}))
            hub.add_wheel(wheel["project"], path.name, path.read_bytes(), manner)
        print(hub.url, flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
