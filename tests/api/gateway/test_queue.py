"""A model that takes one request at a time, and those that wait for it."""

import concurrent.futures
import threading
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, WELL, post
from tests.support.server import Server, running_server
from tests.support.slow_start import Asking
from tests.support.waiting import until

STREAM = {**HELLO, "stream": True}
WAITING = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    (home / "settings.toml").write_text(f"requests_waiting = {WAITING}\n")
    with running_server(home) as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Running]:
    with running_fake() as fake:
        register(server.home, fake)
        yield fake


@pytest.fixture
def fake(engine: Running) -> Iterator[Running]:
    """It gives no token before a test says so."""
    engine.behave(**{**WELL, "hold_after": 0, "tokens": 3})
    yield engine
    engine.behave(hold_after=-1)
    until(lambda: all(call["ended"] != "running" for call in engine.record()), "the end of all")


def calls(fake: Running) -> int:
    return len(fake.record())


def busy(server: Server, fake: Running) -> Asking:
    """One that is being answered."""
    before = calls(fake)
    first = Asking(server, STREAM)
    until(lambda: calls(fake) > before, "a request at the engine")
    return first


def test_those_that_wait_are_told_how_many_come_before_and_are_answered_in_order(
    server: Server, fake: Running
) -> None:
    asked = [busy(server, fake)]
    before = calls(fake)
    for number in range(WAITING):
        asked.append(Asking(server, {**STREAM, "max_tokens": 100 + number}))
        until(lambda: asked[-1].comments, "a comment")
        assert asked[-1].comments[0] == f": queue, {number} before you"
    assert calls(fake) == before
    fake.behave(hold_after=-1)
    assert [one.told().lines[-2] for one in asked] == ["data: [DONE]"] * (WAITING + 1)
    order = [call["body"]["max_tokens"] for call in fake.record()[before:]]
    assert order == [100, 101, 102]


def test_one_too_many_is_told_when_to_come_again(
    server: Server, fake: Running, client: openai.OpenAI
) -> None:
    asked = [busy(server, fake)]
    asked += [Asking(server, STREAM) for _ in range(WAITING)]
    until(lambda: all(one.comments for one in asked[1:]), "comments")
    with pytest.raises(openai.RateLimitError, match="3 requests for “fake” wait") as refused:
        client.chat.completions.create(**HELLO)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    told = httpx.post(f"{server.url}/v1/messages", json={**HELLO, "max_tokens": 4})
    assert (told.status_code, told.json()["error"]["type"]) == (429, "rate_limit_error")
    fake.behave(hold_after=-1)
    for one in asked:
        one.told()


def test_one_that_leaves_the_queue_never_reaches_the_engine(server: Server, fake: Running) -> None:
    first, before = busy(server, fake), calls(fake)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=HELLO, timeout=0.4)
    last = Asking(server, STREAM)
    until(lambda: last.comments, "a comment")
    assert last.comments[0] == ": queue, 0 before you"
    fake.behave(hold_after=-1)
    first.told()
    last.told()
    assert calls(fake) == before + 1


def test_one_that_leaves_while_it_is_answered_makes_room_for_the_next(
    server: Server, fake: Running
) -> None:
    before = calls(fake)
    fake.behave(prefill_ms=30_000)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        leaver = pool.submit(
            httpx.post, f"{server.url}/v1/chat/completions", json=HELLO, timeout=1.5
        )
        until(lambda: calls(fake) > before, "a request at the engine")
        fake.behave(prefill_ms=0)
        second = Asking(server, STREAM)
        assert isinstance(leaver.exception(30), httpx.ReadTimeout)
    until(lambda: calls(fake) > before + 1, "the next one's turn")
    fake.behave(hold_after=-1)
    assert second.told().lines[-2] == "data: [DONE]"


def test_counting_tokens_waits_for_nobody(server: Server, fake: Running) -> None:
    first = busy(server, fake)
    asked = {"model": "fake", "messages": HELLO["messages"]}
    assert httpx.post(f"{server.url}/v1/messages/count_tokens", json=asked).status_code == 200
    fake.behave(hold_after=-1)
    first.told()


def test_more_at_once_where_the_owner_says_so(server: Server, fake: Running) -> None:
    settings = server.home / "settings.toml"
    settings.write_text("requests_at_once = 4\n")
    try:
        before, asked = calls(fake), []
        while calls(fake) < before + 4:
            asked.append(Asking(server, STREAM))
            until(lambda: calls(fake) >= before + len(asked) or asked[-1].comments, "a turn")
        fake.behave(hold_after=-1)
        assert all(one.told().lines[-2] == "data: [DONE]" for one in asked)
    finally:
        settings.write_text(f"requests_waiting = {WAITING}\n")


def test_a_hundred_that_come_and_go_leave_the_queue_empty(server: Server, fake: Running) -> None:
    fake.behave(hold_after=-1)
    settings = server.home / "settings.toml"
    settings.write_text("requests_waiting = 1000\n")
    until(lambda: post(server, HELLO).status_code == 200, "an answer")
    fake.behave(gap_ms=5)

    def ask(number: int) -> None:
        with_patience = 0.05 if number % 2 else 60.0
        try:
            answer = httpx.post(
                f"{server.url}/v1/chat/completions", json=HELLO, timeout=with_patience
            )
            assert answer.status_code == 200
        except httpx.TimeoutException:
            assert number % 2

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings.write_text(f"requests_waiting = {WAITING}\n")
    assert post(server, HELLO).status_code == 200
    assert "Traceback" not in server.output
