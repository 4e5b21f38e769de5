"""A page's first message to Streamlit, in the address of its WebSocket.

`early.js` asks for the page with the socket itself: the page's script then runs on the server while
the browser still loads what will draw it, and has no time to say anything.
"""

import base64
import binascii
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/_stcore/stream"
_LONGEST = 4000  # characters; early.js sends no longer one


class FirstMessage:
    """Pure ASGI: hands Streamlit what the address says as if it had come as the first message."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the message, or pass on."""
        message = _asked(scope) if scope["type"] == "websocket" else b""
        if not message:
            await self.app(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "websocket.receive", "bytes": message}]
        is_connected = False

        async def receiving() -> Message:
            nonlocal is_connected
            if is_connected and waiting:
                return waiting.pop()
            is_connected = True
            return await receive()

        await self.app({**scope, "query_string": b""}, receiving, send)


def _asked(scope: Scope) -> bytes:
    """What the address says; nothing where it is not one of early.js."""
    query: bytes = scope.get("query_string", b"")
    if scope["path"] != PATH or not query or len(query) > _LONGEST + len("first="):
        return b""
    said = parse_qs(query).get(b"first", [b""])[0]
    try:
        return base64.b64decode(said, altchars=b"-_", validate=True)
    except binascii.Error:
        return b""
