"""What passes through /v1 is counted once: as far as it was answered, and by whom it was asked."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, broken_off, post
from tests.support.served import Served, gained, served_in, speed_in
from tests.support.server import Server, running_server
from tests.support.waiting import until

PROGRAM, BERTH = ("llamacpp", "fake", "a program"), ("llamacpp", "fake", "Berth")
EMBEDDING: dict[str, Any] = {"model": "fake", "input": "three words here"}
RANKING: dict[str, Any] = {"model": "fake", "query": "which one", "documents": ["a", "b"]}


class Counted(dict[tuple[str, str, str], Served]):
    """What was written down in the meantime."""


@contextlib.contextmanager
def counting(server: Server) -> Iterator[Counted]:
    """What is asked inside, without the question that is put at the end to know that all came."""
    found, before = Counted(), served_in(server.home)
    yield found
    ours = {**EMBEDDING, "input": "last"}
    httpx.post(f"{server.url}/v1/embeddings", json=ours, headers={"User-Agent": "berth"})
    news = until(lambda: (now := gained(before, served_in(server.home))).get(BERTH) and now)
    assert news
    found.update({key: sums for key, sums in news.items() if key != BERTH})


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_counted_once(
    server: Server, fake: Running, path: str, stream: bool, told: bool
) -> None:
    fake.behave(tokens=12)
    asked = {**HELLO, "prompt": "Hello", "stream": stream}
    if stream and told:
        asked["stream_options"] = {"include_usage": True}
    with counting(server) as found:
        assert post(server, asked, f"/v1/{path}").status_code == 200
    assert list(found) == [PROGRAM]
    assert (found[PROGRAM].requests, found[PROGRAM].completion) == (1, 12)
    assert found[PROGRAM].prompt == (1 if told or not stream else 0)
    assert speed_in(server.home, "fake") == 50.0


@pytest.mark.parametrize(
    ("path", "body", "words"), [("embeddings", EMBEDDING, 3), ("rerank", RANKING, 2)]
)
def test_what_is_only_read_counts_as_a_request_with_its_prompt(
    server: Server, fake: Running, path: str, body: dict[str, Any], words: int
) -> None:
    with counting(server) as found:
        assert post(server, body, f"/v1/{path}").status_code == 200
    assert found == {PROGRAM: Served(1, words, 0)}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("path", "more"),
    [("responses", {"input": "two words"}), ("messages", {"max_tokens": 64})],
)
def test_other_dialects_are_counted_as_they_count(
    server: Server, fake: Running, path: str, more: dict[str, Any], stream: bool
) -> None:
    fake.behave(tokens=12, text="")
    said = {"messages": [{"role": "user", "content": "two words"}]} if "max_tokens" in more else {}
    with counting(server) as found:
        asked = {"model": "fake", "stream": stream, **said, **more}
        assert post(server, asked, f"/v1/{path}").status_code == 200
    assert found == {PROGRAM: Served(1, 2, 12)}


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("stream", [True, False])
def test_what_the_engine_refuses_is_not_counted(
    server: Server, fake: Running, stream: bool, status: int
) -> None:
    fake.behave(status=status)
    with counting(server) as found:
        assert post(server, {**HELLO, "stream": stream}).status_code == status
        fake.behave(status=200)
    assert found == {}


def test_what_berth_refuses_itself_is_not_counted(server: Server, fake: Running) -> None:
    with counting(server) as found:
        assert post(server, {**HELLO, "model": "asleep"}).status_code == 503
        assert post(server, {**HELLO, "model": "nobody"}).status_code == 404
        assert post(server, b"{").status_code == 400
    assert found == {}


def test_a_stream_that_breaks_off_counts_what_came(server: Server, fake: Running) -> None:
    fake.behave(cut_after=5)
    with counting(server) as found:
        broken_off(server, {**HELLO, "stream": True})
    assert found == {PROGRAM: Served(1, 0, 5)}


def test_a_client_that_leaves_counts_what_it_got(server: Server, fake: Running) -> None:
    fake.behave(tokens=1_000, gap_ms=20)
    with (
        counting(server) as found,
        httpx.stream(
            "POST", f"{server.url}/v1/chat/completions", json={**HELLO, "stream": True}
        ) as answer,
    ):
        for number, _ in enumerate(answer.iter_lines()):
            if number > 8:
                break
    assert found[PROGRAM].requests == 1
    assert 3 <= found[PROGRAM].completion < 100


def test_a_client_that_leaves_before_the_first_token_counts_nothing(
    server: Server, fake: Running
) -> None:
    fake.behave(prefill_ms=3_000)
    calls = len(fake.record())
    with counting(server) as found:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json=HELLO, timeout=0.5)
        until(lambda: fake.record()[calls:] and fake.record()[calls]["ended"] == "left")
        fake.behave(prefill_ms=0)
    assert found == {}


def test_a_text_that_looks_like_figures_is_none(server: Server, fake: Running) -> None:
    fake.behave(text='"usage": {"prompt_tokens": 999, "completion_tokens": 999} "timings": {')
    with counting(server) as found:
        assert post(server, HELLO).status_code == 200
        assert post(server, {**HELLO, "stream": True}).status_code == 200
    assert found[PROGRAM].completion < 30


def test_what_was_served_last_is_written_although_the_server_ends_at_once(tmp_path: Path) -> None:
    with running_fake() as fake, running_server(tmp_path / "berth") as server:
        register(server.home, fake)
        assert post(server, HELLO).status_code == 200
        server.stop()
        assert served_in(server.home)[PROGRAM].requests == 1
