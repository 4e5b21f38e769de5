"""One request through the gate, without a server."""

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from lib.core import access
from lib.core.access import Actor
from lib.sharing.gate import Gate
from lib.sharing.owner import CONNECTION

HOST = ("Host", "localhost:8501")
JSON = ("Content-Type", "application/json")
LAN = "192.168.1.5:8501"
Header = tuple[str, str]


@dataclass
class Visit:
    """One request through the gate: what the app behind it saw, and what was answered."""

    app_saw: list[Scope] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    lobby_saw: list[Scope] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.sent[0].get("status", 0))

    @property
    def code(self) -> str:
        return str(json.loads(self.sent[1]["body"])["error"]["code"])

    @property
    def cookie(self) -> str:
        return str(dict(self.sent[0]["headers"]).get(b"set-cookie", b""), "ascii")

    @property
    def inner_headers(self) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = self.app_saw[0]["headers"]
        return headers

    def async_app(self, media_type: str) -> Any:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            self.app_saw.append(scope)
            if scope["type"] != "lifespan":
                self.actors.append(access.current())
            if scope["type"] == "http":
                headers = [(b"content-type", media_type.encode())]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"{}"})

        return app

    async def lobby(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.lobby_saw.append(scope)


def visit(
    *headers: Header,
    method: str = "GET",
    path: str = "",
    kind: str = "http",
    peer: str | None = "127.0.0.1",
    media_type: str = "text/html; charset=utf-8",
    query: str = "",
    **more: Any,
) -> Visit:
    """Ask the gate, for a page or one of our routes.

    `more` is put into the scope; `user` in it holds the other end, who runs the tests if nobody is
    named.
    """
    known = {"user": more.pop("user", os.geteuid())}
    scope: Scope = {
        "type": kind,
        "method": method,
        "path": path or ("/" if method == "GET" else "/api/models/any"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": (peer, 4711) if peer else None,
        "server": ("127.0.0.1", 8501),
        "query_string": query.encode(),
        CONNECTION: known,
        **more,
    }
    if kind == "websocket":
        del scope["method"]
    seen = Visit()

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        seen.sent.append(message)

    asyncio.run(Gate(seen.async_app(media_type), seen.lobby)(scope, receive, send))
    return seen
