"""Connections to a listener, counted: what nobody finishes to say is closed, and so are too many.

A header has its time and its size, a body may not stand still, and a listener has a number of
places. Where all are taken, the connection that has waited longest without a whole request has to
go, so that those who open many and say nothing keep nobody out.
"""

import asyncio
import json
from collections import Counter
from typing import Any, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lib.core.errors import BerthError
from lib.core.settings import settings
from lib.machine import open_files
from lib.sharing.owner import CONNECTION

HEADER_BYTES = 65_536
BESIDE_BYTES = 8 * HEADER_BYTES  # of a body in pieces, between two of them; more than one read
BODY_TIMES = 6  # so much longer than a header may take, a body or an answer may stand still
EACH = 64  # a guest's address; a browser takes ten at most
GUESTS = 512
FILES_OF_ONE = 4  # that a guest's page takes, with its session
FILES_IN_RESERVE = 256  # for the owner's pages, models and logs


class TooManyConnections(BerthError, code="too_many_connections", status=503):
    """All places are taken."""


class HeaderTooLarge(BerthError, code="header_too_large", status=431):
    """The header is larger than anything sensible."""


class Places(NamedTuple):
    """How many connections a listener takes, from one address and in all."""

    each: int
    all: int


def owners_places() -> Places:
    """For the listener on loopback, where everybody has the same address."""
    most = max(open_files.limit() - FILES_IN_RESERVE, FILES_IN_RESERVE) // 2
    return Places(most, most)


def guests_places() -> Places:
    """For the listener in the network; fewer where this process may open few files."""
    room = (open_files.limit() - FILES_IN_RESERVE) // FILES_OF_ONE
    most = max(min(GUESTS, room), EACH // 4)
    return Places(min(EACH, most), most)


class Door:
    """One listener's connections; all in its event loop."""

    def __init__(self, places: Places, proxies: frozenset[str] = frozenset()) -> None:
        self._places = places
        self._proxies = proxies  # where many come from one address
        self._by_address: Counter[str] = Counter()
        self._waiting: dict[_Http, None] = {}  # for a whole header, longest first

    def enter(self, one: "_Http") -> bool:
        """Count it; False where there is no place for it."""
        self._by_address[one.address] += 1
        each, most = self._places
        is_one = one.address not in self._proxies
        if is_one and each < most and self._by_address[one.address] > each:
            return False
        return self._by_address.total() <= most or self._make_room()

    def leave(self, address: str) -> None:
        """It is closed."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def waits(self, one: "_Http", is_waiting: bool) -> None:
        """Does it have a whole request still to send?"""
        self._waiting.pop(one, None)
        if is_waiting:
            self._waiting[one] = None

    def _make_room(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        self._waiting.pop(oldest)
        oldest.transport.abort()
        return True


def protocols(door: Door) -> dict[str, Any]:
    """What uvicorn's Config takes as `http` and `ws`, for a listener with this door."""
    seconds = settings().header_seconds
    return {
        "http": type("Http", (_Http,), {"door": door, "header_seconds": seconds}),
        "ws": type("WebSocket", (_WebSocket,), {"door": door}),
    }


class _Http(HttpToolsProtocol):
    """A connection that speaks HTTP, until it becomes a WebSocket."""

    door: Door
    header_seconds: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, and wait for a header."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._known: dict[str, Any] = {}  # of this connection, for the gate
        self._header_bytes = 0
        self._is_awaited = self._is_in_request = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._problem: BerthError | None = None
        if self.door.enter(self):
            self._await_header()
        else:
            self._refuse(TooManyConnections("Too many connections are open.", "Try again soon."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._stop_waiting()
        self._is_read()
        self.door.leave(self.address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a header that grows too large is refused while it comes."""
        if self.transport.is_closing():
            return
        if not (self._is_awaited or self._is_in_request) and self._is_answered():
            self._await_header()
        self._header_bytes += len(data)
        super().data_received(data)
        if self._is_awaited and self._header_bytes > HEADER_BYTES:
            self._refuse(_too_large())
        elif self._is_in_request and not self._is_awaited and not self.transport.is_closing():
            self._go_on_with_body()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_in_request = True
        cast("dict[str, Any]", self.scope)[CONNECTION] = self._known
        if not self._is_awaited:
            self._await_header()

    def on_header(self, name: bytes, value: bytes) -> None:
        """What comes after a body counts for nothing: no proxy in between has looked at it."""
        if self._is_awaited:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; what comes beside it, sizes and trailers, begins anew."""
        self._header_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The header is whole, and in time."""
        self._stop_waiting()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEADER_BYTES:
            self._problem = _too_large()
            raise self._problem  # the parser stops at once, and has a bad request refused
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._is_in_request = False
        self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Who does not read an answer has it no longer: others may wait for the engine's place."""
        super().pause_writing()
        self._unread = self.loop.call_later(BODY_TIMES * self.header_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Some of it was read."""
        super().resume_writing()
        self._is_read()

    def _is_read(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def on_response_complete(self) -> None:
        """Until the next request this connection is the first that may go."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline:
            self.door.waits(self, True)

    def send_400_response(self, msg: str) -> None:
        """Refuse in the words of what is wrong, where that is known."""
        if self._problem:
            self._refuse(self._problem)
        else:
            super().send_400_response(msg)

    def _await_header(self) -> None:
        self._is_awaited, self._header_bytes = True, 0
        self.door.waits(self, True)
        self._wait(self.header_seconds)

    def _go_on_with_body(self) -> None:
        """Only its pieces may go on without an end: whoever reads them counts those."""
        if self._header_bytes > BESIDE_BYTES:
            self._refuse(_too_large())
        else:
            self._wait(BODY_TIMES * self.header_seconds)

    def _stop_waiting(self) -> None:
        self._is_awaited = False
        self.door.waits(self, False)
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """Close it; but where we have not read what has come, nobody is late but ourselves."""
        if self.flow.read_paused and not self._is_awaited:
            self._wait(BODY_TIMES * self.header_seconds)
        else:
            self.transport.abort()

    def _refuse(self, error: BerthError) -> None:
        """Say so and close; in the midst of an answer, only close."""
        self._stop_waiting()
        if self._is_answered():
            body = json.dumps(error.as_json()).encode()
            head = "content-type: application/json", f"content-length: {len(body)}"
            lines = (*head, "connection: close", "", "")
            self.transport.write(STATUS_LINE[error.status] + "\r\n".join(lines).encode() + body)
        self.transport.close()


class _WebSocket(WebSocketsSansIOProtocol):
    """What a connection goes on as; it keeps its place."""

    door: Door

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.door.leave(self.client[0] if self.client else "")
        super().connection_lost(exc)


def _too_large() -> HeaderTooLarge:
    return HeaderTooLarge(
        f"The header is larger than {HEADER_BYTES // 1024} KiB.", "Send fewer or smaller cookies."
    )
