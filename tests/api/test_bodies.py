"""What no client should send, sent to every route below /api that takes a body."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lib.api.errors import LARGEST_BODY
from tests.support.server import Server, running_server

CLIENT = httpx.Client(timeout=30)  # making one takes longer than asking
JSON = {"Content-Type": "application/json"}
NAMES = ("../../etc/passwd", "a\0b", "a\r\nX-Evil: 1", "\u202egpt", "x" * 5_000, "%2e%2e", "\ud800")
NOT_JSON = {
    "not JSON": b"{",
    "not UTF-8": b'{"model": "\xff"}',
    "NaN": b'{"model": NaN}',
    "infinite": b'{"model": 1e999}',
    "endless digits": b'{"model": ' + b"9" * 5_000 + b"}",
    "too deep": b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a character": b'{"model": "\\ud800"}',
    "named twice": b'{"model": "a", "model": "b"}',
    "named twice inside": b'{"model": {"x": 1, "x": 2}}',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    with running_server(home, {"OLLAMA_HOST": "127.0.0.1:1"}) as running:
        yield running


@pytest.fixture(scope="module")
def described(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = CLIENT.get(f"{server.url}/api/openapi.json").json()["paths"]
    return found


@pytest.fixture(scope="module")
def with_body(described: dict[str, Any]) -> list[str]:
    """The routes that take one; the login is the network's."""
    found = [
        path
        for path, methods in described.items()
        if path.startswith("/api/") and "requestBody" in methods.get("post", {})
    ]
    assert "/api/login" in found
    return [path.replace("{name}", "nobody") for path in found if path != "/api/login"]


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has all its parts and tells nothing of the inside."""
    assert answer.headers["content-type"] == "application/json", answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fix"}
    assert error["message"]
    assert "Traceback" not in answer.text
    assert len(answer.text) < 2_000
    return answer.status_code, error["code"]


def post(server: Server, path: str, body: bytes, **headers: str) -> httpx.Response:
    return CLIENT.post(server.url + path, content=body, headers=JSON | headers, timeout=30)


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_clear_json_is_refused(
    server: Server, with_body: list[str], body: bytes
) -> None:
    for path in with_body:
        assert problem(post(server, path, body))[0] == 400, path
    assert "Traceback" not in server.output


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null", b"true", b'{"\\u0000": 1}'])
def test_json_of_another_shape_is_refused(
    server: Server, with_body: list[str], body: bytes
) -> None:
    for path in with_body:
        status, _ = problem(post(server, path, body))
        assert status == 422, path


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "*/*"])
def test_another_type_than_json_is_refused(server: Server, with_body: list[str], kind: str) -> None:
    for path in with_body:
        told = {"Content-Type": kind}
        assert problem(post(server, path, b"{}", **told)) == (415, "wrong_type")
        from_a_page = told | {"Referer": f"{server.url}/"}
        assert problem(post(server, path, b"{}", **from_a_page)) == (403, "foreign_origin")


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(
    server: Server, with_body: list[str]
) -> None:
    for path in with_body:
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {server.host}",
            "Content-Type: application/json",
            "Content-Length: 104857600",
        ]
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            assert b" 413 " in connection.recv(200).partition(b"\r\n")[0], path


def test_a_body_that_grows_too_large_is_refused_on_its_way(
    server: Server, with_body: list[str]
) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 2**20

    for path in with_body:
        try:
            answer = CLIENT.post(server.url + path, content=endless(), headers=JSON, timeout=60)
        except (httpx.WriteError, httpx.ReadError):  # closed while it still sent
            continue
        assert problem(answer) == (413, "too_large")
    assert LARGEST_BODY < 100 * 2**20


def test_a_hostile_name_anywhere_in_a_path_is_answered_in_words(
    server: Server, described: dict[str, Any]
) -> None:
    templates = [
        (method, path)
        for path, methods in described.items()
        for method in methods
        if path.startswith("/api/") and "{" in path
    ]
    assert len(templates) > 8
    for method, template in templates:
        for name in NAMES:
            quoted = "".join(f"%{byte:02x}" for byte in name.encode("utf-8", "surrogatepass"))
            path = template.replace("{name}", quoted).replace("{id}", quoted)
            path = path.replace("{version}", "1")
            answer = CLIENT.request(method.upper(), server.url + path, headers=JSON, timeout=30)
            assert problem(answer)[0] in (404, 422), (method, path)
            assert "x-evil" not in answer.headers
    assert "Traceback" not in server.output


def test_a_hostile_value_of_any_parameter_is_answered_in_words(
    server: Server, described: dict[str, Any]
) -> None:
    for path, methods in described.items():
        asked = methods.get("get", {}).get("parameters", ()) if path.startswith("/api/") else ()
        for parameter in [one for one in asked if one["in"] == "query"]:
            for value in ("\0", "../../etc", "x" * 8_000, "\r\nX-Evil: 1", "-1", "9" * 400):
                url = server.url + path.replace("{id}", "a").replace("{name}", "a")
                answer = CLIENT.get(url, params={parameter["name"]: value}, timeout=30)
                assert answer.status_code in (200, 404, 422), (path, parameter, value)
                assert "x-evil" not in answer.headers
    assert "Traceback" not in server.output


def test_every_path_tells_its_methods(server: Server, described: dict[str, Any]) -> None:
    for path, methods in described.items():
        if not path.startswith("/api/") or path == "/api/login":
            continue
        url = server.url + path.replace("{id}", "a").replace("{name}", "a")
        url = url.replace("{version}", "1")
        allowed = {method.upper() for method in methods} | {"OPTIONS"}
        allowed |= {"HEAD"} if "get" in methods else set()
        told = CLIENT.request("OPTIONS", url)
        assert (told.status_code, told.content) == (204, b"")
        assert set(told.headers["allow"].split(", ")) == allowed, path
        assert "access-control-allow-origin" not in told.headers
        other = next(one for one in ("PUT", "PATCH", "DELETE") if one not in allowed)
        refused = CLIENT.request(other, url, content=b"{}", headers=JSON)
        assert problem(refused) == (405, "wrong_method")
        assert refused.headers["allow"] == told.headers["allow"]


def test_head_is_get_without_its_body(server: Server) -> None:
    for path in ("/api/health", "/api/models", "/api/docs", "/api/openapi.json"):
        there, told = CLIENT.get(server.url + path), httpx.head(server.url + path)
        assert (told.status_code, told.content) == (200, b"")
        assert told.headers["content-type"] == there.headers["content-type"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/health/"])
def test_what_is_not_there_is_not_found_in_json(server: Server, path: str) -> None:
    assert problem(CLIENT.get(server.url + path)) == (404, "not_found")


def test_the_page_of_the_description_runs_nothing(server: Server) -> None:
    answer = CLIENT.get(f"{server.url}/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text
    assert json.dumps(CLIENT.get(f"{server.url}/api/openapi.json").json())
