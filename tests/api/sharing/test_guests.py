"""The listener for guests, by HTTP and by WebSocket: who gets in, as whom, and what they may."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib.chat import replies
from lib.chat.reply import ReplyRequest
from lib.engines.base import Message
from lib.sharing import guests
from lib.sharing.guests import TRIES
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.guests import CODE, login, shared_server, signed_in, websocket
from tests.support.server import Server
from tests.support.session import opened

JSON = {"Content-Type": "application/json"}
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
FORWARDED = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]


class Shared:
    """A server, its guests' address, and a guest's cookie."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.host = url.partition("//")[2]
        self.cookie = signed_in(url)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Cookie": self.cookie, **headers})

    def send(self, method: str, path: str, **headers: str) -> httpx.Response:
        sent = {"Cookie": self.cookie, "Origin": self.url, **JSON, **headers}
        return httpx.request(method, self.url + path, content=b"{}", headers=sent)

    def websocket(self, *headers: str, path: str = "/_stcore/stream") -> int:
        return self.raw(f"GET {path} HTTP/1.1", *HANDSHAKE, *headers)

    def raw(self, *lines: str) -> int:
        """The status that a request of exactly these lines gets."""
        address, _, port = self.host.partition(":")
        with socket.create_connection((address, int(port)), timeout=10) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            return int(connection.recv(4096).split(b" ", 2)[1])


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_fake() as engine:
        yield engine


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, fake: Running) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("berth")
    lay_fake(home, fake)
    with shared_server(home) as (server, url):
        yield Shared(server, url)


@pytest.mark.parametrize("path", ["/", "/Chat", "/Deploy", "/System?x=1"])
def test_a_page_without_a_cookie_is_the_login_page(shared: Shared, path: str) -> None:
    answer = httpx.get(shared.url + path)
    assert answer.status_code == 401
    assert "Access code" in answer.text
    assert "streamlit" not in answer.text.lower()
    assert answer.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/_stcore/metrics", 401),
        ("/_stcore/host-config", 401),
        ("/_stcore/health", 401),
        ("/_stcore", 401),
        ("/api/models", 401),
        ("/api/health", 401),
        ("/api/docs", 401),
        ("/api/login", 401),
        ("/static/js/index.js", 303),
        ("/favicon.png", 303),
        ("/media/x", 303),
        ("/v1/models", 401),
        ("/v1", 401),
    ],
)
def test_without_a_cookie_nothing_else_tells_anything(
    shared: Shared, path: str, status: int
) -> None:
    answer = httpx.get(shared.url + path)
    assert answer.status_code == status
    if status == 303:
        assert answer.headers["location"] == "/"
    else:
        wanted = "api_key_needed" if path.startswith("/v1") else "not_signed_in"
        assert answer.json()["error"]["code"] == wanted


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/api/models/fake/stop", "/_stcore/upload_file/a/b"])
def test_without_a_cookie_nothing_can_be_sent(shared: Shared, method: str, path: str) -> None:
    answer = httpx.request(method, shared.url + path, content=b"{}", headers=JSON)
    assert answer.status_code == 401


def test_a_signed_in_guest_gets_pages_and_files(shared: Shared) -> None:
    assert "streamlit" in shared.get("/").text.lower()
    for path in ("/Chat", "/_stcore/health", "/_stcore/host-config", "/api/health", "/api/docs"):
        assert shared.get(path).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", ""])
def test_a_host_that_is_not_the_listeners_is_misdirected(shared: Shared, host: str) -> None:
    for headers in ({}, {"Cookie": shared.cookie}):
        answer = httpx.get(shared.url, headers={"Host": host, **headers})
        assert answer.status_code == 421
        assert shared.host in answer.json()["error"]["fix"]
    local = f"localhost:{shared.server.port}"
    assert shared.get("/", Host=local).status_code == 421


def test_the_owners_listener_does_not_take_the_guests_host(shared: Shared) -> None:
    answer = httpx.get(shared.server.url, headers={"Host": shared.host})
    assert answer.status_code == 421


def test_two_hosts_and_none_are_refused(shared: Shared) -> None:
    get, own = "GET /api/health HTTP/1.1", f"Host: {shared.host}"
    cookie = f"Cookie: {shared.cookie}"
    assert shared.raw(get, own, cookie) == 200
    assert shared.raw(get, own, "Host: evil.example", cookie) in (400, 421)
    assert shared.raw("GET /api/health HTTP/1.0", cookie) in (400, 421)


def test_a_websocket_needs_cookie_and_origin(shared: Shared) -> None:
    own, origin = f"Host: {shared.host}", f"Origin: {shared.url}"
    cookie = f"Cookie: {shared.cookie}"
    assert shared.websocket(own, origin, cookie) == 101
    assert shared.websocket(own, cookie) == 403
    assert shared.websocket(own, origin) == 403
    # The last character alone would not do: it has bits which mean nothing.
    assert shared.websocket(own, origin, f"{cookie[:-9]}{'x' * 9}") == 403
    assert shared.websocket(own, "Origin: http://evil.example", cookie) == 403
    assert shared.websocket(own, f"Origin: {shared.server.url}", cookie) == 403
    assert shared.websocket(own, "Origin: null", cookie) == 403
    evil = ("Host: evil.example", "Origin: http://evil.example")
    assert shared.websocket(*evil, cookie) == 403


@pytest.mark.parametrize("path", ["/api/replies/live", "/api/guests/watch"])
def test_berths_own_websockets_need_the_cookie_too(shared: Shared, path: str) -> None:
    own = (f"Host: {shared.host}", f"Origin: {shared.url}")
    assert shared.websocket(*own, path=path) == 403
    assert shared.websocket(*own, f"Cookie: {shared.cookie}", path="/api/guests/watch") == 101


@pytest.mark.parametrize("name", FORWARDED)
def test_through_a_proxy_nobody_is_let_in(shared: Shared, name: str) -> None:
    assert httpx.get(shared.url, headers={name: "127.0.0.1"}).status_code == 401
    assert shared.get("/api/health", **{name: "127.0.0.1"}).status_code == 401
    headers = (f"Host: {shared.host}", f"Origin: {shared.url}", f"Cookie: {shared.cookie}")
    assert shared.websocket(*headers, f"{name}: 127.0.0.1") == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/login", "/api/replies/x/stop"])
def test_what_a_foreign_page_can_post_is_refused(
    shared: Shared, path: str, headers: dict[str, str]
) -> None:
    assert shared.send("POST", path, **headers).status_code == 403


def test_the_role_cannot_be_sent(shared: Shared) -> None:
    forged = {"X-Berth-Role": "owner", "X_Berth_Role": "owner"}
    assert shared.send("POST", "/api/models/fake/stop", **forged).status_code == 403
    with opened(shared.server, shared.cookie, url=shared.url, **forged) as tab:
        tab.run("Models")
        assert "Stop" not in tab.buttons


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/models/fake/start"),
        ("POST", "/api/models/fake/stop"),
        ("DELETE", "/api/models/fake"),
        ("POST", "/api/deploy"),
        ("GET", "/api/deploy"),
        ("GET", "/api/deploy/stream?job=x"),
        ("GET", "/api/deploy/x"),
        ("DELETE", "/api/deploy/x"),
        ("POST", "/api/deploy/x/pause"),
        ("POST", "/api/deploy/x/retry"),
        ("GET", "/api/models/lookup?repo=a/b"),
    ],
)
def test_a_guest_may_neither_run_nor_remove_nor_deploy(
    shared: Shared, method: str, path: str
) -> None:
    answer = shared.send(method, path)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"].startswith("Only the owner of this machine may ")


def test_a_guest_sees_the_models_without_this_machines_addresses(shared: Shared) -> None:
    model = shared.get("/api/models/fake").json()
    assert model["state"] == "Ready"
    assert not {"url", "log", "source", "gateway_url"} & set(model)
    assert httpx.get(f"{shared.server.url}/api/models/fake").json()["url"]


@pytest.mark.parametrize("cookie", [True, False])
def test_v1_asks_for_a_key(shared: Shared, cookie: bool) -> None:
    headers = {"Cookie": shared.cookie} if cookie else {}
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/v1")):
        answer = httpx.request(method, shared.url + path, headers={**headers, **JSON})
        assert answer.status_code == 401
        assert "API key" in answer.json()["error"]["message"]


def test_the_cookie_is_kept_from_scripts_and_other_sites(shared: Shared) -> None:
    cookie = login(shared.url, " ABCD efgh").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b'{"code": 5}', 422),
        (b'{"code": "x", "role": "owner"}', 422),
        (b'{"code": null}', 422),
        (b"[" * 4_000, 400),
        (b'{"code": "' + b"x" * 10_000 + b'"}', 413),
    ],
    ids=str,
)
def test_a_login_that_is_none_is_refused(shared: Shared, body: bytes, status: int) -> None:
    answer = httpx.post(f"{shared.url}/api/login", content=body, headers=JSON)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


def test_two_guests_are_two(shared: Shared) -> None:
    assert signed_in(shared.url) != signed_in(shared.url)


def test_the_owners_login_page_does_not_exist(shared: Shared) -> None:
    answer = httpx.post(f"{shared.server.url}/api/login", json={"code": CODE})
    assert answer.status_code == 404


def test_no_guest_can_take_over_a_session(shared: Shared) -> None:
    other = signed_in(shared.url)
    with opened(shared.server) as owner, opened(shared.server, shared.cookie, url=shared.url) as me:
        owner.run()
        me.run()
        for taken in (owner.id, me.id):
            with opened(shared.server, other, resume=taken, url=shared.url) as thief:
                thief.run()
                assert thief.id not in (owner.id, me.id)


def test_a_guests_page_leaves_out_what_only_the_owner_may(shared: Shared) -> None:
    with opened(shared.server) as owner:
        owner.run("Models")
        assert {"Stop", "More", "Chat"} <= set(owner.buttons)
        stop = owner.buttons["Stop"]
    with opened(shared.server, shared.cookie, url=shared.url) as guest:
        for page in ("Models", "System", "Deploy"):  # Home leads to Chat
            guest.run(page)
            assert set(guest.buttons) <= {"Chat", "Sign out"}
        guest.run("Models")
        assert "Chat" in guest.buttons
        guest.press("Stop", widget=stop)
    assert httpx.get(f"{shared.server.url}/api/models/fake").json()["state"] == "Ready"


def test_a_guest_can_neither_read_nor_stop_anothers_reply(home: Path, fake: Running) -> None:
    """The replies lie where the server finds them, as those of one guest."""
    lay_fake(home, fake)
    with shared_server(home) as (_server, url):
        mine, others = signed_in(url), signed_in(url)
        who = guests.login_of(mine.partition("=")[2])
        request = ReplyRequest(
            conversation="c" * 32,
            owner=who,
            model="fake",
            messages=(Message(role="user", content="Hello"),),
        )
        reply = replies.start(request)
        assert reply.wait(10)
        for cookie, status in ((mine, 200), (others, 404)):
            answer = httpx.post(
                f"{url}/api/replies/{reply.id}/stop",
                headers={"Cookie": cookie, "Origin": url, **JSON},
            )
            assert answer.status_code == status
        assert reply.id in _heard(url, mine, reply.id)
        assert _heard(url, others, reply.id) == ""


def _heard(url: str, cookie: str, reply: str) -> str:
    """What the WebSocket of a conversation tells at once of this reply."""
    path = f"/api/replies/live?c={'c' * 32}&reply={reply}"
    with websocket(url, path, cookie) as listening, contextlib.suppress(TimeoutError):
        return str(listening.recv(timeout=1))
    return ""


def test_wrong_codes_are_limited(home: Path) -> None:
    with shared_server(home) as (_server, url):
        for _ in range(TRIES):
            answer = login(url, "wrong-one")
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        for code in ("wrong-one", CODE):
            answer = login(url, code)
            assert answer.status_code == 429
            assert answer.json()["error"]["fix"]
