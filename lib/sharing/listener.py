"""Sharing with the network: a second listener of the same server, switched on and off at run time.

It listens on one address that the owner chose, never on all. What comes through it is marked, so
that the gate knows it for a guest's.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psutil
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from lib.core import lifecycle
from lib.core.access import Action, require
from lib.core.errors import BadInput, BerthError, Conflict
from lib.core.names import shown
from lib.core.preferences import change, preferences
from lib.sharing import guests
from lib.sharing.connections import Door, guests_places, protocols
from lib.sharing.gate import ADMITTED, LISTENER

PORTS_TRIED = 100
BACKLOG = 128
PATIENCE_SECONDS = 10.0
GRACE_SECONDS = 1
FAREWELL_SECONDS = 2.0  # in which the guests' pages load again and learn that it is over
SEND_OFF = 1008  # the close code at which a guest's page loads again
PAGE = "/_stcore/stream"  # every open page has this WebSocket


class _Server(uvicorn.Server):
    """One that leaves the signals to the first server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield


class _Socket:
    """A guest's WebSocket, which can be closed from outside, and is when the login ends."""

    def __init__(self, path: str, send: Send) -> None:
        self.is_page = path == PAGE
        self.login = ""
        self._send = send
        self._is_closed = False
        self._end: asyncio.TimerHandle | None = None

    def admit(self, login: str, until: float) -> None:
        """It is for this login, which holds until then (epoch seconds)."""
        self.login = login
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(max(until - time.time(), 0), self._begin_to_end)

    async def send(self, message: Message) -> None:
        """Pass on; after the end there is nobody to send to."""
        if not self._is_closed:
            self._is_closed = message["type"] == "websocket.close"
            await self._send(message)

    async def send_off(self) -> None:
        """Close it, unless it has gone by itself."""
        with contextlib.suppress(RuntimeError, OSError):
            await self.send({"type": "websocket.close", "code": SEND_OFF, "reason": "signed out"})

    def forget(self) -> None:
        """It has ended."""
        if self._end:
            self._end.cancel()

    def _begin_to_end(self) -> None:
        self._ending = asyncio.ensure_future(self.send_off())  # kept: the loop holds it weakly


class Share:
    """A listener in the network, with the WebSockets that came through it."""

    def __init__(self, listener: socket.socket) -> None:
        address, port = listener.getsockname()
        self.address, self.port = str(address), int(port)
        self.host = f"{address}:{port}"  # what a guest's browser sends as Host
        self.is_ending = False
        self._sockets: set[_Socket] = set()
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                self._marked,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                **protocols(Door(guests_places())),
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._task = asyncio.ensure_future(self._serve())

    @property
    def url(self) -> str:
        """What guests open."""
        return f"http://{self.host}"

    @property
    def open_pages(self) -> int:
        """How many pages guests look at now."""
        return sum(one.is_page for one in tuple(self._sockets))

    async def send_off(self, login: str = "") -> None:
        """Close what guests, or this one, have open; their pages load again, and must sign in."""
        ending = [one for one in tuple(self._sockets) if login in ("", one.login)]
        await asyncio.gather(*(one.send_off() for one in ending))

    async def end_soon(self) -> None:
        """Guests are sent off at once; the listener stays long enough to tell them why."""
        self.is_ending = True
        await self.send_off()
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self._end_now)

    async def end(self) -> None:
        """Close the listener and everything that came through it."""
        self._end_now()
        await self._task

    def _end_now(self) -> None:
        self._server.should_exit = True

    async def _serve(self) -> None:
        stopping = asyncio.ensure_future(self._end_with_server())
        try:
            await self._server.serve([self._listener])
        finally:
            stopping.cancel()
            self._listener.close()

    async def _end_with_server(self) -> None:
        await lifecycle.stop_event().wait()
        self._end_now()

    async def _marked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, told by a mark that no client can forge where this came from."""
        scope = {**scope, LISTENER: self.host}
        if scope["type"] != "websocket":
            await lifecycle.app()(scope, receive, send)
            return
        one = _Socket(scope["path"], send)
        self._sockets.add(one)
        try:
            await lifecycle.app()({**scope, ADMITTED: one.admit}, receive, one.send)
        finally:
            self._sockets.discard(one)
            one.forget()


_share: Share | None = None
_own_port = 0
_problem = ""
_expect_host: Callable[[str], None] | None = None
_begun: list[asyncio.Task[None]] = []  # the loop itself holds tasks only weakly


def current() -> Share | None:
    """The listener that guests can use now."""
    return _share if _share and not _share.is_ending else None


def problem() -> str:
    """Why sharing, which was to begin with Berth, has not begun; "" where nothing is wrong."""
    return _problem


def addresses() -> list[str]:
    """This machine's addresses in private networks; the one that was chosen before comes first."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = [
        one.address
        for name, each in psutil.net_if_addrs().items()
        for one in each
        if name in up and one.family == socket.AF_INET and _is_private(one.address)
    ]
    chosen = preferences().share_address
    return list(dict.fromkeys([chosen, *found] if chosen else found))


def start(address: str) -> None:
    """Open the listener; BadInput where the address cannot be used, Conflict where it is open."""
    require(Action.CONFIGURE)
    change(share_address=_checked(address))
    _in_server(_open(address))


def stop() -> None:
    """End every guest's login, and close the listener."""
    require(Action.CONFIGURE)
    if share := current():
        guests.end_logins()
        _in_server(share.end_soon())


def change_code() -> None:
    """Another access code; guests have to sign in again with it."""
    guests.change_code()
    if share := current():
        _in_server(share.send_off())


def put_out(login: str) -> None:
    """End one guest's login, and what that guest has open."""
    guests.put_out(login)
    if share := current():
        _in_server(share.send_off(login))


def begin(own_port: int, expect_host: Callable[[str], None]) -> None:
    """Called as the server begins, on its own port; where the owner chose that, sharing begins too.

    `expect_host` is told each address that guests will name as Host.
    """
    global _own_port, _expect_host
    _own_port, _expect_host = own_port, expect_host
    if preferences().share_at_start:
        address = next(iter(addresses()), "")
        _begun.append(asyncio.ensure_future(_begin_by_itself(address)))


async def end() -> None:
    """Called as the server ends."""
    if _share:
        await _share.end()


async def _begin_by_itself(address: str) -> None:
    global _problem
    try:
        await _open(_checked(address))
    except BerthError as error:
        _problem = str(error)
        logging.warning("Sharing did not begin: %s", error)


async def _open(address: str) -> None:
    global _share, _problem
    if share := current():
        raise Conflict(f"Berth is shared already, at {share.url}.", "Stop that first.")
    if _share:
        await _share.end()
    _share, _problem = Share(_listening(address, _own_port)), ""
    if _expect_host:
        _expect_host(address)


def _in_server(work: Coroutine[Any, Any, None]) -> None:
    """Have the server's own loop do it, and wait until it is done."""
    asyncio.run_coroutine_threadsafe(work, lifecycle.loop()).result(PATIENCE_SECONDS)


def _listening(address: str, wanted: int) -> socket.socket:
    """A socket that listens there on this port, or on the next free one."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        try:
            return socket.create_server((address, port), backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadInput(
                    f"Berth cannot listen on {address}: {error.strerror}.",
                    "Choose another address of this machine.",
                ) from error
    raise Conflict(
        f"All ports from {wanted} up are used on {address}.", "End a program that uses one."
    )


def _checked(address: str) -> str:
    """The address, if it is one address of one machine; BadInput for `0.0.0.0` and the like."""
    try:
        given = ipaddress.IPv4Address(address)
    except ValueError:
        given = None
    if given is None or given.is_unspecified or given.is_multicast or address == "127.0.0.1":
        raise BadInput(
            f"“{shown(address)}” is not an address to share on.",
            "Choose one of this machine's addresses.",
        )
    return address


def _is_private(address: str) -> bool:
    """In a network that the internet does not reach; what it reaches is not offered."""
    given = ipaddress.ip_address(address)
    return not (given.is_global or given.is_loopback or given.is_link_local)
