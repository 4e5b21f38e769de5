"""What a page asks for with its WebSocket comes to Streamlit as the first message."""

import asyncio
import base64

import pytest
from starlette.types import Message, Receive, Scope, Send

from lib.api.first_message import PATH, FirstMessage

ASKED = b"\xfb\xff what a page asks for"
TEXT = base64.urlsafe_b64encode(ASKED)
CONNECT: Message = {"type": "websocket.connect"}
NEXT: Message = {"type": "websocket.receive", "bytes": b"next"}


def received(path: str, query: bytes, kind: str = "websocket") -> tuple[list[Message], bytes]:
    """What the application gets, and the query that it sees."""
    seen: list[Message] = []
    queries: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        queries.append(scope["query_string"])
        while len(seen) < 3:
            seen.append(await receive())
            if seen[-1] is NEXT:
                return

    arriving = iter([CONNECT, NEXT])

    async def receive() -> Message:
        return next(arriving)

    async def send(message: Message) -> None:
        pass

    scope = {"type": kind, "path": path, "query_string": query}
    asyncio.run(FirstMessage(app)(scope, receive, send))
    return seen, queries[0]


def test_it_comes_once_after_the_connection_and_before_all_others() -> None:
    first: Message = {"type": "websocket.receive", "bytes": ASKED}
    assert received(PATH, b"first=" + TEXT) == ([CONNECT, first, NEXT], b"")


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        (PATH, b"", "websocket"),
        (PATH, b"second=" + TEXT, "websocket"),
        (PATH, b"first=", "websocket"),
        (PATH, b"first=no*base64", "websocket"),
        (PATH, b"first=" + TEXT[:-1], "websocket"),
        (PATH, b"first=" + b"A" * 5_000, "websocket"),
        ("/api/other", b"first=" + TEXT, "websocket"),
        (PATH, b"first=" + TEXT, "http"),
    ],
)
def test_anything_else_changes_nothing(path: str, query: bytes, kind: str) -> None:
    assert received(path, query, kind) == ([CONNECT, NEXT], query)
