"""What is said is kept where the owner has switched it on, for the gateway's requests alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, post
from tests.support.server import Server, running_server
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("keeps") / "home"
    home.mkdir()
    (home / "settings.toml").write_text("keeps_requests_text = true\n")
    with running_server(home) as running:
        yield running


@pytest.fixture
def fake(server: Server) -> Iterator[Running]:
    with running_fake("--tokens", "4") as found:
        register(server.home, found)
        yield found


def kept(server: Server) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(server.home / "berth.db")) as file:
        query = "SELECT asked, answered FROM requests_said ORDER BY at DESC"
        try:
            return file.execute(query).fetchall()
        except sqlite3.OperationalError:  # no table yet
            return []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["chat/completions", "messages"])
def test_it_is_kept_without_secrets(server: Server, fake: Running, path: str, stream: bool) -> None:
    said = f"Use {path} {stream} with hf_{'x' * 30}"
    asked = {**HELLO, "stream": stream, "max_tokens": 100}
    answer = post(server, {**asked, "messages": [{"role": "user", "content": said}]}, f"/v1/{path}")
    assert answer.status_code == 200
    wanted = f"user: Use {path} {stream} with ***"
    rows = until(lambda: [row for row in kept(server) if row[0] == wanted], "it is kept")
    assert rows[0][1] == "t0 t1 t2 t3 "
