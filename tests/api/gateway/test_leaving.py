"""A client that leaves ends its engine's work at once, in every dialect and at every moment."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import WELL
from tests.support.server import Server

SAID = [{"role": "user", "content": "Hello"}]
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": SAID},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": SAID, "max_tokens": 2_000},
    "/v1/messages/count_tokens": {"messages": SAID},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/rerank": {"query": "Hello", "documents": ["one", "two"]},
}
STREAMED = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"]


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Running]:
    with running_fake() as fake:
        register(server.home, fake, "left")
        yield fake


@pytest.fixture
def fake(engine: Running) -> Running:
    engine.behave(**WELL)
    return engine


def leave(server: Server, path: str, *, stream: bool, seconds: float = 0.4) -> None:
    """Ask, and close the connection when nothing has come for so long."""
    body = {"model": "left", **ASKED[path], **({"stream": True} if stream else {})}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + path, json=body, timeout=seconds)


@pytest.mark.parametrize("path", ASKED)
def test_before_an_answer_that_comes_at_once(server: Server, fake: Running, path: str) -> None:
    fake.behave(prefill_ms=30_000)
    leave(server, path, stream=False)
    assert fake.last_call("left", within_seconds=2)["path"] == path


@pytest.mark.parametrize("path", STREAMED)
def test_before_the_first_token_of_a_stream(server: Server, fake: Running, path: str) -> None:
    fake.behave(prefill_ms=30_000)
    leave(server, path, stream=True)
    assert fake.last_call("left", within_seconds=2)["tokens_sent"] == 0


@pytest.mark.parametrize("path", STREAMED)
def test_of_an_engine_that_begins_its_stream_before_it_has_read(
    server: Server, fake: Running, path: str
) -> None:
    fake.behave(prefill_ms=30_000, headers_at_once=True)
    leave(server, path, stream=True)
    assert fake.last_call("left", within_seconds=2)["tokens_sent"] == 0
    fake.behave(headers_at_once=False)


@pytest.mark.parametrize("path", STREAMED)
def test_while_it_is_told_what_it_waits_for(server: Server, fake: Running, path: str) -> None:
    fake.behave(prefill_ms=30_000)
    body = {"model": "left", **ASKED[path], "stream": True}
    with httpx.stream("POST", server.url + path, json=body, timeout=30) as answer:
        assert next(answer.iter_lines()) == ": reading the prompt"
    assert fake.last_call("left", within_seconds=2)["tokens_sent"] == 0


@pytest.mark.parametrize("path", STREAMED)
def test_in_mid_stream(server: Server, fake: Running, path: str) -> None:
    fake.behave(gap_ms=20, tokens=1_500)
    body = {"model": "left", **ASKED[path], "stream": True}
    with httpx.stream("POST", server.url + path, json=body, timeout=30) as answer:
        next(line for line in answer.iter_lines() if "t0" in line)
    assert fake.last_call("left", within_seconds=2)["tokens_sent"] < 1_000


def test_by_a_connection_that_is_reset(server: Server, fake: Running) -> None:
    fake.behave(prefill_ms=30_000)
    body = b'{"model": "left", "messages": [{"role": "user", "content": "Hello"}]}'
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {server.host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body)
        fake.last_call("running")
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    fake.last_call("left", within_seconds=2)
