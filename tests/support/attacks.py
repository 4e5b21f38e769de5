"""What somebody who means harm does: raw bytes, names that lead elsewhere, addresses to be asked.

Everything goes to a server of the test's own, on loopback.
"""

import contextlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import httpx
import psutil

from tests.support.guests import signed_in
from tests.support.server import Server

SECONDS = 10.0
# One for all: each would otherwise read the system's certificates again. It keeps no cookie.
CLIENT = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
CLIENT.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
JSON = {"Content-Type": "application/json"}
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


class Place:
    """A shared server with a model that runs and one that does not, and a guest's cookie."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.cookie = signed_in(url)

    @property
    def host(self) -> str:
        """What a guest's browser sends as Host."""
        return self.url.partition("//")[2]

    @property
    def guest(self) -> dict[str, str]:
        """The headers of what a guest's page sends."""
        return {"Cookie": self.cookie, "Origin": self.url, **JSON}

    @property
    def asleep(self) -> Path:
        """The file of the model that does not run: what an attack that succeeds removes."""
        return self.server.home / "models" / "asleep.gguf"


def address_of(url: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = url.partition("//")[2].partition(":")
    return host, int(port)


def said(url: str, data: bytes, *, source: str = "") -> bytes:
    """All that is answered to exactly these bytes, until the server closes the connection."""
    answer = b""
    given = (source, 0) if source else None
    with socket.create_connection(address_of(url), SECONDS, source_address=given) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65_536):
                answer += more
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of every answer in it."""
    return [int(found) for found in _STATUS.findall(answer)]


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request of exactly these lines."""
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def status_of(url: str, line: str, *headers: str) -> int:
    """The status of one request of exactly these lines, on a connection of its own."""
    return statuses(said(url, request(line, *headers, "Connection: close")))[0]


def websocket_status(url: str, path: str, *headers: str) -> int:
    """101 where it is opened."""
    data = request(f"GET {path} HTTP/1.1", *HANDSHAKE, *headers)
    with socket.create_connection(address_of(url), SECONDS) as connection:
        connection.sendall(data)
        return statuses(connection.recv(4_096))[0]


def memory_bytes(server: Server) -> int:
    """What the server's process holds."""
    return int(psutil.Process(server.process.pid).memory_info().rss)


class Trap:
    """A server that nobody should ever ask; `asked` is who did."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self.asked: list[str] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """The ways to name it, and files, that parsers are known to take for something else."""
        return (
            f"{self.url}/x.png",
            f"HTTP://{self.host}/x.png",
            f"//{self.host}/x.png",
            f"http:{self.host}/x.png",
            f"http://user@{self.host}/x.png",
            f" {self.url}/x.png",
            f"\t{self.url}/x.png",
            "file:///etc/hostname",
            "file:etc/hostname",
            "/etc/host.conf",
            "data/../etc/host.conf",
        )


@contextlib.contextmanager
def trap() -> Iterator[Trap]:
    """It listens, and writes down what comes."""
    found: list[Trap] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found[0].asked.append(self.path)
            self.send_error(404)

        do_POST = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        found.append(Trap(listener.server_address[1]))
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield found[0]
        listener.shutdown()


@contextlib.contextmanager
def endless_engine(head: bytes, piece: bytes) -> Iterator[str]:
    """What stands in an engine's place and never ends what it says; its address."""
    is_over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(head)
            while not is_over.is_set():
                connection.sendall(piece)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        is_over.set()


def until_it_stands_still(look: Callable[[], float], seconds: float = 0.5) -> float:
    """What `look` tells once it tells the same for so long."""
    give_up_at, found, since = time.monotonic() + 30, look(), time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < give_up_at, "it never stood still"
        time.sleep(0.05)
        if (now := look()) != found:
            found, since = now, time.monotonic()
    return found
