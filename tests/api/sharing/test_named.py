"""Programs in containers and desktop apps, which the owner has to name first."""

from collections.abc import Iterator

import httpx
import pytest

from lib.core.access import own_process
from lib.sharing import named
from tests.support.server import Server, running_server

HOST, ORIGIN = "host.docker.internal:8501", "app://obsidian.md"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}
ASKS = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.fixture
def name(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner names both, in the server's own settings."""
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    own_process()
    named.save(["host.docker.internal"], [ORIGIN])


def test_a_refusal_says_where_a_host_is_named(server: Server) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers={"Host": "some.container"})
    assert answer.status_code == 421 and named.WHERE in answer.text


def test_a_refusal_says_where_an_origin_is_named(server: Server) -> None:
    evil = {**PREFLIGHT, "Origin": "http://evil.example"}
    answer = httpx.options(f"{server.url}/v1/chat/completions", headers=evil)
    assert answer.status_code == 403 and named.WHERE in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.usefixtures("name")
def test_a_named_host_reaches_the_models_and_nothing_else(server: Server) -> None:
    for path, status in (("/v1/models", 200), ("/api/system", 421), ("/", 421)):
        assert httpx.get(server.url + path, headers={"Host": HOST}).status_code == status


@pytest.mark.usefixtures("name")
def test_a_named_origin_may_ask_and_read_the_answer(server: Server) -> None:
    url = f"{server.url}/v1/chat/completions"
    may = httpx.options(url, headers=PREFLIGHT)
    assert may.status_code == 204
    assert may.headers["access-control-allow-origin"] == ORIGIN
    assert may.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in may.headers
    answer = httpx.post(url, headers=ASKS, json={"model": "none", "messages": [
        {"role": "user", "content": "Hi"}]})  # fmt: skip
    assert answer.status_code == 404 and answer.json()["error"]["message"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in answer.headers["vary"]


@pytest.mark.usefixtures("name")
def test_a_named_origin_gets_at_nothing_else_and_sends_no_forms(server: Server) -> None:
    assert httpx.get(f"{server.url}/api/system", headers=ASKS).status_code == 403
    url, form = f"{server.url}/v1/chat/completions", {**ASKS, "Content-Type": "text/plain"}
    assert httpx.post(url, headers=form, content="{}").status_code in (403, 415)
    other = {**ASKS, "Origin": "app://other"}
    assert httpx.post(url, headers=other, json={}).status_code == 403
