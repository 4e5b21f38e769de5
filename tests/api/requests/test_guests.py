"""Requests are the owner's matter: a guest neither sees, stops nor takes them along."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.guests import shared_server, signed_in
from tests.support.server import Server
from tests.support.waiting import until

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    with shared_server(tmp_path_factory.mktemp("shared") / "home") as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/requests"), ("DELETE", "/api/requests/1"), ("GET", "/api/requests/export")],
)
def test_a_guest_is_refused(shared: tuple[Server, str], method: str, path: str) -> None:
    url = shared[1]
    headers = {"Cookie": signed_in(url), "Origin": url, **JSON}
    answer = httpx.request(method, url + path, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_site_is_refused(shared: tuple[Server, str], method: str) -> None:
    headers = {"Origin": "http://evil.example", **JSON}
    answer = httpx.request(method, f"{shared[0].url}/api/requests/1", headers=headers)
    assert answer.status_code == 403


def test_what_the_network_asks_of_the_gateway_without_a_key_is_logged(
    shared: tuple[Server, str],
) -> None:
    server, url = shared
    began = time.time()
    answer = httpx.post(f"{url}/v1/chat/completions", json={})
    look = f"{server.url}/api/requests?since={began}"
    rows = until(lambda: httpx.get(look).json()["log"], "its line")
    assert answer.status_code == 401
    assert (rows[0]["status"], rows[0]["code"]) == (401, answer.json()["error"]["code"])
    assert rows[0]["route"] == "/v1/chat/completions"
