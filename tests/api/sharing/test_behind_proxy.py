"""Behind a proxy that the owner named: whom it asks for is believed, and nobody else is."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.guests import CODE, guests_url, lay_sharing
from tests.support.server import Server, running_server

PUBLIC = "berth.example.com"
PROXY = "127.0.0.3"  # where the named one comes from
GUEST = "203.0.113.7"
JSON = "Content-Type: application/json"
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
FOR, HTTPS = f"X-Forwarded-For: {GUEST}", "X-Forwarded-Proto: https"
HOST, ORIGIN = f"Host: {PUBLIC}", f"Origin: https://{PUBLIC}"


class Answer:
    """What came back, undone by no client's library."""

    def __init__(self, data: bytes) -> None:
        self.head = data.partition(b"\r\n\r\n")[0].decode("latin-1").lower()
        self.status = int(self.head.split(" ", 2)[1])


class Behind:
    """A server that is shared through a proxy at 127.0.0.3, on an address of its own."""

    def __init__(self, server: Server) -> None:
        self.server, self.place = server, ("127.0.0.2", server.port)

    def ask(self, line: str, *headers: str, peer: str = PROXY, body: str = "") -> Answer:
        """Exactly these lines, sent from this address."""
        lines = [f"{line} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "", body]
        with socket.create_connection(self.place, 10, (peer, 0)) as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1"))
            return Answer(connection.recv(65_536))

    def signed_in(self) -> str:
        """The cookie of a guest who signed in through the proxy, as a header."""
        place = f"http://{self.place[0]}:{self.place[1]}/api/login"
        told = dict(one.split(": ", 1) for one in (HOST, FOR, HTTPS, ORIGIN))
        with httpx.Client(transport=httpx.HTTPTransport(local_address=PROXY)) as client:
            answer = client.post(place, json={"code": CODE, "name": "Ada"}, headers=told)
        header = answer.headers["set-cookie"]
        assert "; Secure" in header
        return f"Cookie: {header.partition(';')[0]}"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    home = tmp_path_factory.mktemp("berth")
    more = (f'trusted_proxies = ["{PROXY}"]', f'share_public = "https://{PUBLIC}"')
    lay_sharing(home, address="127.0.0.2", more=more)
    with running_server(home) as server:
        guests_url(server, address="127.0.0.2")
        yield Behind(server)


def test_a_guest_through_the_proxy_is_a_guest_at_its_own_address(behind: Behind) -> None:
    cookie = behind.signed_in()
    assert behind.ask("GET /api/health", HOST, FOR, HTTPS, cookie).status == 200
    told = httpx.get(f"{behind.server.url}/api/sharing").json()
    assert told["url"] == f"https://{PUBLIC}"
    assert (GUEST, "Ada") in [(one["address"], one["name"][:3]) for one in told["guests"]]


@pytest.mark.parametrize("path", ["/api/deploy", "/api/sharing"])
def test_nobody_is_the_owner_through_the_proxy(behind: Behind, path: str) -> None:
    cookie = behind.signed_in()
    for source in (GUEST, "127.0.0.1", "::1", "127.0.0.2"):
        words = (HOST, f"X-Forwarded-For: {source}", HTTPS)
        assert behind.ask(f"GET {path}", *words, cookie).status == 403
        assert behind.ask(f"GET {path}", *words).status == 401


def test_a_websocket_through_the_proxy_needs_the_public_origin(behind: Behind) -> None:
    cookie, path = behind.signed_in(), "GET /_stcore/stream"
    words = (HOST, FOR, HTTPS, *HANDSHAKE)
    assert behind.ask(path, *words, ORIGIN, cookie).status == 101
    assert behind.ask("GET /api/guests/watch", *words, ORIGIN, cookie).status == 101
    for origin in ("http://berth.example.com", "https://evil.example", "null"):
        assert behind.ask(path, *words, f"Origin: {origin}", cookie).status == 403
    assert behind.ask(path, *words, cookie).status == 403
    assert behind.ask(path, *words, ORIGIN).status == 403


@pytest.mark.parametrize(
    "words",
    [
        (),
        (FOR,),
        (HTTPS,),
        (FOR, FOR, HTTPS),
        (FOR, "X-Forwarded-For: 10.0.0.1", HTTPS),
        (FOR, HTTPS, HTTPS),
        (FOR, HTTPS, "X-Forwarded-Proto: http"),
        (FOR, "X-Forwarded-Proto: https,http"),
        (FOR, "X-Forwarded-Proto: file"),
        ("X-Forwarded-For: ", HTTPS),
        ("X-Forwarded-For: localhost", HTTPS),
        ("X-Forwarded-For: 10.0.0.1, unknown", HTTPS),
        ("X-Forwarded-For: 10.0.0.1:80", HTTPS),
        ("X-Forwarded-For: 10.0.0.1,", HTTPS),
        (FOR, HTTPS, f"X-Forwarded-Host: {PUBLIC}", f"X-Forwarded-Host: {PUBLIC}"),
        (FOR, HTTPS, f"X-Forwarded-Host: evil.example, {PUBLIC}"),
    ],
)
def test_what_the_proxy_says_twice_or_unclearly_is_refused(
    behind: Behind, words: tuple[str, ...]
) -> None:
    cookie = behind.signed_in()
    assert behind.ask("GET /api/health", HOST, *words, cookie).status == 401


def test_only_the_last_hop_is_believed(behind: Behind) -> None:
    cookie = behind.signed_in()
    words = (HOST, f"X-Forwarded-For: 127.0.0.1, evil, {GUEST}", HTTPS)
    for more in ((), ("Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "Via: 1.1 Caddy")):
        assert behind.ask("GET /api/health", *words, *more, cookie).status == 200
    told = httpx.get(f"{behind.server.url}/api/sharing").json()
    assert told["guests"][0]["address"] == GUEST  # who was seen last


@pytest.mark.parametrize(
    "names",
    [
        ("Host: evil.example",),
        ("Host: 127.0.0.1",),
        (f"Host: {PUBLIC}:8443",),
        (HOST, "X-Forwarded-Host: evil.example"),
        (f"Host: {PUBLIC}.",),
    ],
)
def test_the_public_name_is_the_only_one(behind: Behind, names: tuple[str, ...]) -> None:
    cookie = behind.signed_in()
    assert behind.ask("GET /api/health", *names, FOR, HTTPS, cookie).status == 421


def test_the_forwarded_host_counts_in_place_of_the_host(behind: Behind) -> None:
    cookie, inner = behind.signed_in(), f"Host: 127.0.0.2:{behind.server.port}"
    words = (inner, f"X-Forwarded-Host: {PUBLIC}", FOR, HTTPS, cookie)
    assert behind.ask("GET /api/health", *words).status == 200
    assert behind.ask("GET /api/health", inner, FOR, HTTPS, cookie).status == 421


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.4"])
def test_nobody_else_is_believed(behind: Behind, peer: str) -> None:
    cookie = behind.signed_in()
    own = f"Host: 127.0.0.2:{behind.server.port}"
    for names in (own, HOST):
        words = (names, FOR, HTTPS, cookie)
        assert behind.ask("GET /api/health", *words, peer=peer).status in (401, 421)
    assert behind.ask("GET /", own, "Accept: text/html", peer=peer).status == 401
    assert behind.ask("GET /", HOST, "Accept: text/html", peer=peer).status == 421


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"])
def test_the_owners_listener_believes_no_proxy_at_all(behind: Behind, name: str) -> None:
    for peer in ("127.0.0.1", PROXY):
        with httpx.Client(transport=httpx.HTTPTransport(local_address=peer)) as client:
            answer = client.get(f"{behind.server.url}/api/health", headers={name: GUEST})
        assert answer.status_code == 401


def test_wrong_codes_are_counted_by_the_guests_address(behind: Behind) -> None:
    def typed(source: str, code: str) -> int:
        words = (HOST, f"X-Forwarded-For: {source}", HTTPS, ORIGIN, JSON)
        return behind.ask("POST /api/login", *words, body=f'{{"code": "{code}"}}').status

    assert [typed("203.0.113.66", "wrong") for _ in range(6)] == [403] * 5 + [429]
    assert typed("203.0.113.67", CODE) == 200


def test_a_second_request_in_the_first_ones_body_is_none_of_its_own(behind: Behind) -> None:
    """Berth and the proxy have to agree where a request ends."""
    cookie = behind.signed_in()
    smuggled = "0\r\n\r\nGET /api/deploy HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = behind.ask(
        "GET /api/health",
        *(HOST, FOR, HTTPS, cookie, "Transfer-Encoding: chunked"),
        body=smuggled,
    )
    assert answer.status == 400
