"""One answer of the gateway to one client, in the OpenAI dialect.

A failure before the first byte is a status with a body; after it, an event in the stream. Lines
are passed on whole, so that an engine that dies leaves no half event before the error.
"""

import json
from typing import Any

from starlette.types import Send

from lib.core.errors import BerthError


def openai_error(error: BerthError) -> dict[str, Any]:
    """OpenAI's error body, with what to do about it added."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body = {"message": error.message, "type": kind, "param": None, "code": error.code}
    return {"error": {**body, "fix": error.fix}}


class Answer:
    """The sending side of one request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._is_over = False
        self._rest = b""

    async def json(self, value: Any, status: int = 200) -> None:
        """The whole answer at once."""
        await self.whole(json.dumps(value).encode(), "application/json", status)

    async def whole(self, body: bytes, media_type: str, status: int) -> None:
        """The whole answer at once, as an engine gave it."""
        await self._start(status, media_type, [(b"content-length", str(len(body)).encode())])
        await self._end(body)

    async def begin_events(self) -> None:
        """Begin a stream of server-sent events."""
        await self._start(200, "text/event-stream; charset=utf-8", [])

    async def events(self, chunk: bytes) -> None:
        """Pass on the whole lines that came; the rest waits for its end."""
        lines, found, rest = chunk.rpartition(b"\n")
        if not found:
            self._rest += chunk
            return
        body, self._rest = self._rest + lines + found, rest
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end_events(self) -> None:
        """The stream is complete."""
        await self._end(self._rest)

    async def fail(self, error: BerthError) -> None:
        """Tell the client what went wrong, in the way that is still possible."""
        if self._is_over:
            return
        body = json.dumps(openai_error(error)).encode()
        if self._has_begun:
            await self._end(b"\n\ndata: " + body + b"\n\n")
        else:
            await self.whole(body, "application/json", error.status)

    async def _start(self, status: int, media_type: str, more: list[tuple[bytes, bytes]]) -> None:
        self._has_begun = True
        headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store"), *more]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _end(self, body: bytes) -> None:
        self._is_over = True
        await self._send({"type": "http.response.body", "body": body})
