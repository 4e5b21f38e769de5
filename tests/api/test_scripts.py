"""The scripts of Berth's own elements: served to be kept, and nothing beside them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.mark.parametrize(
    "name", ["live_reply.js", "history_storage.js", "vendor/streaming-markdown-0.2.15.min.js"]
)
def test_a_script_is_sent_as_one_and_may_be_kept(server: Server, name: str) -> None:
    answer = httpx.get(f"{server.url}/api/ui/0/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "export" in answer.text


@pytest.mark.parametrize(
    "name",
    ["", "chat.py", "history.css", "%2e%2e/server.py", "..%2fserver.py", "a%00.js"],
)
def test_nothing_else_is_sent(server: Server, name: str) -> None:
    with httpx.Client() as client:
        answer = client.send(httpx.Request("GET", f"{server.url}/api/ui/0/{name}"))
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text
