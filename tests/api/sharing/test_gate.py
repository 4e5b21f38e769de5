"""The gate in front of the real server, by HTTP and by WebSocket."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.server import Server, running_server
from tests.support.session import opened

JSON = {"Content-Type": "application/json"}
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


def raw_status(server: Server, *lines: str) -> int:
    """The status that a request of exactly these lines gets."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return int(connection.recv(4096).split(b" ", 2)[1])


def websocket_status(server: Server, *headers: str) -> int:
    return raw_status(server, "GET /_stcore/stream HTTP/1.1", *HANDSHAKE, *headers)


@pytest.mark.parametrize("path", ["/", "/Chat", "/api/system", "/v1/models", "/_stcore/health"])
def test_an_evil_host_gets_nothing(server: Server, path: str) -> None:
    answer = httpx.get(server.url + path, headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "wrong_host"


def test_a_rebound_name_opens_no_websocket(server: Server) -> None:
    evil = ("Host: evil.example", "Origin: http://evil.example")
    assert websocket_status(server, *evil) == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1234", "null"])
def test_a_foreign_origin_opens_no_websocket(server: Server, origin: str) -> None:
    assert websocket_status(server, f"Host: {server.host}", f"Origin: {origin}") == 403


def test_the_own_origin_and_none_open_a_websocket(server: Server) -> None:
    own = f"Host: {server.host}"
    assert websocket_status(server, own) == 101
    assert websocket_status(server, own, f"Origin: {server.url}") == 101


def test_two_hosts_and_none_are_refused(server: Server) -> None:
    get, own = "GET /api/health HTTP/1.1", f"Host: {server.host}"
    assert raw_status(server, get, own) == 200
    assert raw_status(server, get, own, "Host: evil.example") in (400, 421)
    assert raw_status(server, "GET /api/health HTTP/1.0") in (400, 421)


def test_an_absolute_address_with_an_evil_host_changes_nothing(server: Server) -> None:
    line = "GET http://evil.example/api/health HTTP/1.1"
    assert raw_status(server, line, "Host: evil.example") == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Content-Type": "text/plain"},
        {"Origin": "http://evil.example", **JSON},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Sec-Fetch-Site": "cross-site", **JSON},
        {"Sec-Fetch-Site": "same-site", **JSON},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/models/x/start", "/v1/chat/completions"])
def test_what_a_foreign_page_can_post_is_refused(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.post(server.url + path, content=b"{}", headers=headers)
    says_where_from = headers.keys() & {"Origin", "Sec-Fetch-Site"}
    assert answer.status_code == (403 if says_where_from else 415)
    assert answer.json()["error"]["fix"]


def test_another_port_of_the_same_host_is_foreign(server: Server) -> None:
    headers = {"Origin": f"http://127.0.0.1:{server.port + 1}", **JSON}
    assert httpx.post(f"{server.url}/api/models/x/start", headers=headers).status_code == 403


def test_a_preflight_from_another_site_is_refused(server: Server) -> None:
    asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = httpx.options(f"{server.url}/api/models/x", headers=asks)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]
)
def test_through_a_proxy_nobody_is_the_owner(server: Server, name: str) -> None:
    assert httpx.get(server.url, headers={name: "127.0.0.1"}).status_code == 401
    assert websocket_status(server, f"Host: {server.host}", f"{name}: 127.0.0.1") == 403


def test_an_upload_of_streamlits_own_is_taken_from_nobody(server: Server) -> None:
    with opened(server) as tab:
        tab.run()
        token = httpx.get(f"{server.url}/_stcore/health").cookies["_streamlit_xsrf"]
        answer = httpx.put(
            f"{server.url}/_stcore/upload_file/{tab.id}/file",
            files={"file": b"x"},
            headers={"X-Xsrftoken": token, "Cookie": f"_streamlit_xsrf={token}"},
        )
    assert answer.status_code == 404


def test_every_answer_forbids_what_is_not_ours(server: Server) -> None:
    refused = httpx.get(server.url, headers={"Host": "evil.example"})
    for answer in (httpx.get(server.url), httpx.get(f"{server.url}/api/nothing"), refused):
        policy = answer.headers["content-security-policy"]
        assert "img-src 'self' data: blob:;" in policy
        assert "connect-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in answer.headers


def test_another_browser_cannot_take_over_a_session(server: Server) -> None:
    mine, other = (f"berth_browser={letter * 32}" for letter in "ab")
    with opened(server, cookie=mine) as tab:
        tab.run()
        session = tab.id
    with opened(server, cookie=other, resume=session) as thief:
        thief.run()
        assert thief.id != session
    with opened(server, resume=session) as nobody:
        nobody.run()
        assert nobody.id != session


def test_forged_headers_take_over_nothing_either(server: Server) -> None:
    mine, other = (f"berth_browser={letter * 32}" for letter in "cd")
    with opened(server, cookie=mine) as tab:
        tab.run()
        session = tab.id
    forged = {"x-berth-who": "c" * 32, "X_Berth_Who": "c" * 32}
    with opened(server, cookie=other, resume=session, **forged) as thief:
        thief.run()
        assert thief.id != session


def test_the_same_browser_finds_its_session_again(server: Server) -> None:
    mine = f"berth_browser={'e' * 32}"
    with opened(server, cookie=mine) as tab:
        tab.run()
        session = tab.id
    with opened(server, cookie=mine, resume=session) as again:
        again.run()
        assert again.id == session


CLOSED = [
    ("PUT", "/_stcore/upload_file/any/any"),
    ("DELETE", "/_stcore/upload_file/any/any"),
    ("OPTIONS", "/_stcore/upload_file/any/any"),
    ("GET", "/_stcore/metrics"),
    ("GET", "/_stcore/script-health-check"),
    ("GET", "/_stcore/agent/openapi.json"),
    ("POST", "/_stcore/agent/interact"),
    ("GET", "/Deploy/_stcore/metrics"),
    ("GET", "/_stcore/health/../metrics"),
    ("GET", "/component/any/index.html"),
    ("GET", "/auth/login"),
    ("GET", "/oauth2callback"),
    ("GET", "/app/static/any"),
    ("PUT", "/"),
    ("DELETE", "/media/any"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_no_page_uses_of_streamlits_routes_is_closed(
    server: Server, method: str, path: str
) -> None:
    line, host = f"{method} {path} HTTP/1.1", f"Host: {server.host}"
    more = ["Content-Type: application/json"] if method == "POST" else []
    assert raw_status(server, line, host, "Content-Length: 0", *more) == 404


@pytest.mark.parametrize("path", ["/", "/Chat", "/_stcore/health", "/_stcore/host-config"])
def test_what_pages_use_is_open(server: Server, path: str) -> None:
    assert httpx.get(server.url + path).status_code == 200


def test_a_program_may_post_nothing_and_a_browser_says_where_it_comes_from(server: Server) -> None:
    url = f"{server.url}/api/models/nobody/stop"
    assert httpx.post(url).status_code == 404  # it was let in: there is no such model
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": "a=b"},
        {"Cookie": "a=b", "Content-Type": "text/plain"},
    ):
        assert httpx.post(url, headers=headers).status_code == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert httpx.post(url, headers={"Content-Type": kind}).status_code == 415
    assert httpx.post(url, content=b"x").status_code == 415
