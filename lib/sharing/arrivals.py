"""Who comes to an encrypted listener, until the encryption stands.

The web server counts what it has been given, which is only what has shaken hands; before that a
connection costs an open file as well. So it is counted and timed here, and who does not speak TLS
is told so instead of being cut off.
"""

import asyncio
import contextlib
import json
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from lib.core.errors import Forbidden
from lib.core.settings import settings
from lib.sharing.connections import Places

TLS_HANDSHAKE = b"\x16"
LONGEST_REQUEST = 8_192
FAREWELL_SECONDS = 2.0  # so long the other end may take to say that it has heard the end
AGAIN_SECONDS = 0.5  # after no file could be opened for who comes


class NotEncrypted(Forbidden, code="not_encrypted", status=400):
    """Plain HTTP, where only HTTPS is spoken."""


class Arrivals:
    """Accepts connections, and hands those that are encrypted to `protocol`."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        places: Places,
        url: str,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._listener, self._context, self._places = listener, context, places
        self._url, self._protocol = url, protocol
        self._seconds = settings().header_seconds
        self._waiting: dict[asyncio.Task[None], str] = {}  # who comes from where, longest first
        self._by_address: Counter[str] = Counter()

    async def serve(self) -> None:
        """Until it is cancelled; then nobody waits any more."""
        self._listener.setblocking(False)
        try:
            while True:
                await self._accept()
        finally:
            for one in tuple(self._waiting):
                one.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, peer = await loop.sock_accept(self._listener)
        except OSError:  # too many files are open, or the visitor has gone
            await asyncio.sleep(AGAIN_SECONDS)
            return
        address = str(peer[0])
        if self._by_address[address] >= self._places.each:
            connection.close()
            return
        if self._by_address.total() >= self._places.all:
            oldest = next(iter(self._waiting))
            self._is_met(oldest)  # counted no more at once: the loop may accept many before it ends
            oldest.cancel()
        self._by_address[address] += 1
        meeting = loop.create_task(self._meet(connection))
        self._waiting[meeting] = address
        meeting.add_done_callback(self._is_met)

    def _is_met(self, meeting: "asyncio.Task[None]") -> None:
        address = self._waiting.pop(meeting, None)
        if address is None:
            return
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    async def _meet(self, connection: socket.socket) -> None:
        """Shake hands in time, or close it."""
        try:
            connection.setblocking(False)
            async with asyncio.timeout(self._seconds):
                if await _first_byte(connection) == TLS_HANDSHAKE:
                    await self._encrypt(connection)
                else:
                    await self._turn_away(connection)
        except (TimeoutError, OSError):  # an SSLError is one
            _cut_off(connection)
        except asyncio.CancelledError:
            _cut_off(connection)
            raise

    async def _encrypt(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().connect_accepted_socket(
            self._protocol,
            connection,
            ssl=self._context,
            ssl_handshake_timeout=self._seconds,
            ssl_shutdown_timeout=FAREWELL_SECONDS,
        )

    async def _turn_away(self, connection: socket.socket) -> None:
        """A browser is led to the right address; a program, which may send a key, is not."""
        loop = asyncio.get_running_loop()
        sent = await loop.sock_recv(connection, LONGEST_REQUEST)
        if sent:
            await loop.sock_sendall(connection, answer(sent, self._url))
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                await loop.sock_recv(connection, LONGEST_REQUEST)
        connection.close()


def _cut_off(connection: socket.socket) -> None:
    """Also where the loop still holds it, for a handshake that nobody will end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def answer(sent: bytes, url: str) -> bytes:
    """What to say to these first bytes of a request that is not encrypted; pure."""
    head = sent.partition(b"\r\n\r\n")[0].lower()
    is_page = head.startswith((b"get ", b"head ")) and b"text/html" in head
    if is_page and b"\r\nauthorization:" not in head:
        return _written("307 Temporary Redirect", b"", f"location: {url}/")
    error = NotEncrypted("Berth is encrypted here, and this was not.", f"Open it as {url}.")
    return _written("400 Bad Request", json.dumps(error.as_json()).encode())


def _written(status: str, body: bytes, *more: str) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def _first_byte(connection: socket.socket) -> bytes:
    """Looked at, and left for who reads the rest."""
    loop = asyncio.get_running_loop()
    come: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, lambda: None if come.done() else come.set_result(None))
    try:
        await come
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
