"""One listener in the network, with what came through it.

It listens on one address that the owner chose, never on all. What comes through it is marked, so
that the gate knows it for a guest's.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator

import uvicorn
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from lib.core import lifecycle
from lib.sharing.addresses import written
from lib.sharing.arrivals import Arrivals
from lib.sharing.certificates import Certificate, load
from lib.sharing.connections import Door, guests_places, protocols
from lib.sharing.forwarded import PROXY
from lib.sharing.gate import ADMITTED, LISTENER
from lib.sharing.terms import Terms

GRACE_SECONDS = 1
FAREWELL_SECONDS = 2.0  # in which the guests' pages load again and learn that it is over
SEND_OFF = 1008  # the close code at which a guest's page loads again
PAGE = "/_stcore/stream"  # every open page has this WebSocket


class _Server(uvicorn.Server):
    """One that leaves the signals to the first server, and encrypts what comes itself."""

    def __init__(self, config: uvicorn.Config, context: ssl.SSLContext | None, url: str) -> None:
        super().__init__(config)
        self._context, self._url = context, url
        self._accepting: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        if not self._context or not sockets:
            await super().startup(sockets)
            return
        await super().startup([])
        arrivals = Arrivals(sockets[0], self._context, guests_places(), self._url, self._protocol)
        self._accepting = asyncio.ensure_future(arrivals.serve())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody more, then end what is open."""
        if self._accepting:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


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

    def __init__(self, listener: socket.socket, terms: Terms) -> None:
        self.address, self.port = str(listener.getsockname()[0]), int(listener.getsockname()[1])
        self.terms = terms
        self.scheme = "https" if terms.context else "http"
        self.hosts = _hosts(self.address, self.port, self.scheme, terms.certificate)
        self.host = self.hosts[0]  # what a guest's browser sends as Host
        self.is_ending = False
        self._sockets: set[_Socket] = set()
        self._listener = listener
        door = Door(guests_places(), terms.proxy.peers)
        config = uvicorn.Config(
            self._marked,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            **protocols(door),
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = _Server(config, terms.context, self.own_url)
        self._task = asyncio.ensure_future(self._serve())

    @property
    def own_url(self) -> str:
        """Where it listens itself."""
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        """What guests open: where the proxy answers, if there is one."""
        return self.terms.proxy.url or self.own_url

    @property
    def open_pages(self) -> int:
        """How many pages guests look at now."""
        return sum(one.is_page for one in tuple(self._sockets))

    @property
    def pages_by_login(self) -> Counter[str]:
        """The same of each guest."""
        return Counter(one.login for one in tuple(self._sockets) if one.is_page and one.login)

    def renew(self, certificate: Certificate) -> None:
        """Who comes from now on sees this one; in the server's loop."""
        if self.terms.context:
            load(self.terms.context, certificate.file, certificate.key)
            self.terms.certificate = certificate

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
        scope = {**scope, LISTENER: self._named(scope), PROXY: self.terms.proxy}
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

    def _named(self, scope: Scope) -> str:
        """Which of its names was asked for; the first where it was another, which is refused."""
        sent = Headers(scope=scope).get("host", "").lower()
        return sent if sent in self.hosts else self.host


def _hosts(address: str, port: int, scheme: str, certificate: Certificate | None) -> list[str]:
    """What guests may name as Host: the address, or a name that the certificate proves.

    A foreign page cannot have one of these names point here. What the certificate is for comes
    first.
    """
    names = list(certificate.hosts) if certificate else []
    found = [address, *names]
    if certificate and names and not certificate.holds_for(address):
        found = [*names, address]
    return list(dict.fromkeys(written(one, port, scheme) for one in found if one != "localhost"))
