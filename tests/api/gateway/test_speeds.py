"""What the gateway passes on tells how fast the machine's memory is at least."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.engines.llamacpp.speed import LEAST_TOKENS
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import post
from tests.support.server import Server, running_server
from tests.support.waiting import until

SPEED = 50.0  # tokens a second, that the fake tells
TOKEN_BYTES = 10**12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that knows nothing of its memory."""
    with running_server(tmp_path / "berth") as running:
        yield running


@pytest.fixture
def fake(server: Server) -> Iterator[Running]:
    with running_fake() as running:
        register(server.home, running, token_bytes=TOKEN_BYTES)
        yield running


def reached(server: Server) -> float:
    file = server.home / "bandwidth.json"
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return max((float(one["reached"]) for one in kept.values()), default=0.0)


def ask(server: Server, path: str = "chat/completions", **more: Any) -> None:
    said = [{"role": "user", "content": "hi"}]
    asked: dict[str, Any] = {"messages": said} if "chat" in path else {"prompt": "a"}
    answer = post(server, {"model": "fake", **asked, **more}, f"/v1/{path}")
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_long_answer_tells_it(server: Server, fake: Running, path: str, stream: bool) -> None:
    fake.behave(tokens=LEAST_TOKENS)
    ask(server, path, stream=stream)
    assert until(lambda: reached(server)) == SPEED * TOKEN_BYTES


@pytest.mark.parametrize(("tokens", "size"), [(LEAST_TOKENS - 1, 2 * TOKEN_BYTES), (99, 0)])
def test_a_short_one_and_one_of_a_model_that_nobody_can_tell_of_do_not(
    server: Server, fake: Running, tokens: int, size: int
) -> None:
    with running_fake() as other:
        register(server.home, other, "other", size)
        other.behave(tokens=tokens)
        ask(server, model="other", stream=True)
    fake.behave(tokens=LEAST_TOKENS)
    ask(server, stream=True)
    assert until(lambda: reached(server)) == SPEED * TOKEN_BYTES
