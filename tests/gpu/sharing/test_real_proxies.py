"""The proxies of the documentation, as they are: pages, WebSockets and events come through."""

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.guests import CODE, guests_url, lay_sharing
from tests.support.server import Server, running_server
from tests.support.web_proxies import NAME, caddy, free_port, nginx

Proxy = Callable[[Path, int, int], AbstractContextManager[None]]
PROXIES: dict[str, Proxy] = {"nginx": nginx, "caddy": caddy}


class Public(NamedTuple):
    """Berth behind a real proxy."""

    server: Server
    port: int

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        """As somebody for whom the name leads to the proxy."""
        headers = {"Host": f"{NAME}:{self.port}", "Origin": self.origin}
        headers |= dict(more.pop("headers", {}))  # type: ignore[call-overload]
        hello = {"sni_hostname": NAME}
        with httpx.Client(verify=False) as client:
            request = client.build_request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                headers=headers,
                extensions=hello,
                **more,  # type: ignore[arg-type]
            )
            return client.send(request)

    def signed_in(self) -> str:
        answer = self.ask("POST", "/api/login", json={"code": CODE, "name": "Ada"})
        assert answer.status_code == 200, answer.text
        header = answer.headers["set-cookie"]
        assert "; Secure" in header
        return str(header.partition(";")[0])

    def websocket(self, path: str, cookie: str, origin: str = "") -> ClientConnection:
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        return connect(
            f"wss://{NAME}:{self.port}{path}",
            sock=socket.create_connection(("127.0.0.1", self.port), timeout=10),
            ssl=anybody,
            origin=Origin(origin or self.origin),
            additional_headers={"Cookie": cookie},
        )


@pytest.fixture(scope="module", params=list(PROXIES))
def public(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Public]:
    home, folder = tmp_path_factory.mktemp("berth"), tmp_path_factory.mktemp("proxy")
    port, inner = free_port(), free_port()
    more = (
        'trusted_proxies = ["127.0.0.1"]',
        f'share_public = "https://{NAME}:{port}"',
        f"share_port = {inner}",
    )
    lay_sharing(home, address="127.0.0.1", more=more)
    with PROXIES[request.param](folder, port, inner), running_server(home) as server:
        guests_url(server, address="127.0.0.1", port=inner)
        yield Public(server, port)


def test_a_guest_signs_in_and_is_known_at_its_address(public: Public) -> None:
    assert "Access code" in public.ask("GET", "/").text
    cookie = public.signed_in()
    assert "streamlit" in public.ask("GET", "/", headers={"Cookie": cookie}).text.lower()
    told = httpx.get(f"{public.server.url}/api/sharing").json()
    assert told["url"] == public.origin
    assert ("127.0.0.1", "Ada") in [(one["address"], one["name"][:3]) for one in told["guests"]]


def test_websockets_come_through(public: Public) -> None:
    cookie = public.signed_in()
    for path in ("/_stcore/stream", "/api/guests/watch"):
        with public.websocket(path, cookie) as opened:
            opened.ping().wait(5)
        with pytest.raises(InvalidStatus):
            public.websocket(path, cookie, "https://evil.example")
        with pytest.raises(InvalidStatus):
            public.websocket(path, "")


@pytest.mark.parametrize(
    "sent",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Proto": "http"},
        {"Forwarded": "for=127.0.0.1;host=localhost"},
    ],
    ids=lambda sent: next(iter(sent)),
)
def test_what_a_visitor_writes_of_itself_counts_for_nothing(
    public: Public, sent: dict[str, str]
) -> None:
    cookie = public.signed_in()
    owners = public.ask("GET", "/api/deploy", headers={"Cookie": cookie, **sent})
    assert owners.status_code == 403
    assert public.ask("GET", "/api/deploy", headers=sent).status_code == 401
    told = httpx.get(f"{public.server.url}/api/sharing").json()
    assert {one["address"] for one in told["guests"]} == {"127.0.0.1"}


class _Events(http.server.BaseHTTPRequestHandler):
    """Sends one event, and the second only when the first was received."""

    received = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        assert self.received.wait(20)
        self.wfile.write(b"data: 2\n\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is to be told."""


@pytest.mark.parametrize("proxy", list(PROXIES.values()), ids=list(PROXIES))
def test_events_come_as_they_are_sent(proxy: Proxy, tmp_path: Path) -> None:
    _Events.received.clear()
    port = free_port()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Events) as upstream:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        with proxy(tmp_path, port, upstream.server_port):
            client = httpx.Client(verify=False, timeout=20)
            request = client.build_request(
                "GET",
                f"https://127.0.0.1:{port}/",
                headers={"Host": f"{NAME}:{port}"},
                extensions={"sni_hostname": NAME},
            )
            answer = client.send(request, stream=True)
            events = answer.iter_text()
            assert next(events) == "data: 1\n\n"
            _Events.received.set()
            assert "".join(events) == "data: 2\n\n"
            client.close()
        upstream.shutdown()
