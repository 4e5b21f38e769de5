"""One answer of the gateway to one client, in the dialect that it has asked in.

A failure before the first byte is a status with a body; after it, an event in the stream, whose
connection is then broken off: a stream that ends neatly is a whole one. Lines are passed on whole,
so that an engine that dies leaves no half event before the error.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from lib.api import dialects
from lib.api.errors import WrongMethod
from lib.api.numbered import Numbers
from lib.core.errors import BerthError, EngineError

LARGEST_WHOLE = 128 * 2**20  # bytes of an answer at once; thousands of vectors are well below
LONGEST_LINE = 16 * 2**20  # bytes of an event; a picture is below


class EndlessAnswer(EngineError, code="endless_answer"):
    """An engine, or what stands in its place on another machine, says more than anybody wants."""


class Reads(Protocol):
    """What comes of an engine, piece by piece."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """As it comes."""


async def read_whole(content: Reads) -> bytes:
    """An answer that comes at once; EndlessAnswer where it has no end."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LARGEST_WHOLE:
            raise _endless()
    return bytes(body)


def _endless() -> EndlessAnswer:
    return EndlessAnswer("The engine's answer has no end.", "Look at what answers for this model.")


class Answer:
    """The sending side of one request."""

    def __init__(self, send: Send) -> None:
        self.dialect = dialects.OPENAI
        self.headers: list[tuple[bytes, bytes]] = []  # of our own, beside what every answer has
        self.status, self.code = 0, ""  # what the client was told: HTTP's, and an error's
        self.is_complete = False  # all was sent, and ended neatly
        self.saw_end = False  # the event that ends a stream has passed
        self._numbers: Numbers | None = None
        self._send = send
        self._has_begun = False
        self._is_over = False
        self._rest = bytearray()

    async def json(self, value: Any, status: int = 200) -> None:
        """The whole answer at once."""
        await self._whole(json.dumps(value).encode(), "application/json", status)

    async def whole(self, body: bytes, media_type: str, status: int) -> None:
        """The whole answer at once, as an engine gave it."""
        status = 400 if status == 501 else status  # clients would ask again, and again
        if status >= 400:
            self.code = dialects.kind_of_failure(body)
            told = dialects.engine_failure(self.dialect, body, status)
            if self._has_begun:
                await self._fail_in_stream(told)
            else:
                await self._whole(told, "application/json", status)
        elif self._has_begun:
            raise EngineError("The engine gave its answer at once.", "Ask it without a stream.")
        else:
            await self._whole(dialects.mended_whole(self.dialect, body), media_type, status)

    async def passed(self, response: Response, request: Request) -> None:
        """The whole answer, as a response that says it itself."""
        self._has_begun = self._is_over = True
        self.status = response.status_code
        await response(request.scope, request.receive, self._send)
        self.is_complete = True

    async def begin_events(self) -> None:
        """Begin a stream of server-sent events; headers that come too late become comments."""
        self._numbers = Numbers() if self.dialect.is_numbered else None
        if not self._has_begun:
            await self._start(200, "text/event-stream; charset=utf-8", [])
            return
        for name, value in self.headers:
            await self.comment(f"{name.decode('ascii')}: {value.decode('ascii')}")

    async def comment(self, text: str) -> None:
        """A line of the stream that its readers skip, before the events; begins the stream."""
        if not self._has_begun:
            await self._start(200, "text/event-stream; charset=utf-8", [])
        line = f": {text}\n\n".encode()
        await self._send({"type": "http.response.body", "body": line, "more_body": True})

    async def events(self, chunk: bytes) -> None:
        """Pass on the whole lines that came; the rest waits for its end."""
        lines, found, rest = chunk.rpartition(b"\n")
        if not found:
            self._rest += chunk
            if len(self._rest) > LONGEST_LINE:
                raise _endless()
            return
        body, self._rest = bytes(self._rest) + lines + found, bytearray(rest)
        if self.dialect.ends:
            body = self._numbers.put_in(body) if self._numbers else body
            body = dialects.mended_lines(self.dialect, body)
            self.saw_end = self.saw_end or dialects.ends_in(self.dialect, body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end_events(self) -> None:
        """The stream is complete."""
        await self._end(bytes(self._rest))

    def break_off(self) -> None:
        """Whoever calls us closes the connection of a stream that has no end."""
        self._is_over = True

    async def fail(self, error: BerthError) -> None:
        """Tell the client what went wrong, in the way that is still possible."""
        if self._is_over:
            return
        self.code = error.code
        body = dialects.failure(self.dialect, error)
        if isinstance(error, WrongMethod):
            self.headers.append((b"allow", error.allowed.encode()))
        if not self._has_begun:
            self.headers += getattr(error, "headers", [])
            await self._whole(body, "application/json", error.status)
            return
        await self._fail_in_stream(body)

    async def _fail_in_stream(self, body: bytes) -> None:
        name = b"event: error\n" if self.dialect.ends else b""
        event = b"\n\n" + name + b"data: " + body + b"\n\n"
        await self._send({"type": "http.response.body", "body": event, "more_body": True})
        self.break_off()

    async def _whole(self, body: bytes, media_type: str, status: int) -> None:
        await self._start(status, media_type, [(b"content-length", str(len(body)).encode())])
        await self._end(body)

    async def _start(self, status: int, media_type: str, more: list[tuple[bytes, bytes]]) -> None:
        self._has_begun, self.status = True, status
        headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store"), *more]
        headers += self.headers
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _end(self, body: bytes) -> None:
        self._is_over = True
        await self._send({"type": "http.response.body", "body": body})
        self.is_complete = True
