"""What a client is told while it waits, and that it is told nothing where it does not."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from lib.api import waiting
from lib.api.answer import Answer
from lib.api.waiting import Stage, Waiting
from lib.core.errors import EngineDown


class Client:
    """What an answer has sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.told = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.told.set()

    @property
    def text(self) -> str:
        return b"".join(one.get("body", b"") for one in self.sent).decode()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.0)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def words() -> str:
    return "loading 40 %"


def test_a_stream_begins_with_a_comment_and_goes_on_with_the_answer() -> None:
    async def work() -> None:
        client = Client()
        answer = Answer(client.send)
        async with Waiting(answer, is_stream=True) as wait:
            wait.now(Stage.LOADING, words)
            await client.told.wait()
            await wait.over()
            answer.headers = [(b"berth-ignored", b"user")]
            await answer.begin_events()
            await answer.events(b"data: {}\n\n")
            await answer.end_events()
        starts = [one for one in client.sent if one["type"] == "http.response.start"]
        assert [one["status"] for one in starts] == [200]
        assert client.text == ": loading 40 %\n\n: berth-ignored: user\n\ndata: {}\n\n"

    run(work())


def test_a_failure_after_the_first_comment_is_an_event() -> None:
    async def work() -> None:
        client = Client()
        answer = Answer(client.send)
        with pytest.raises(EngineDown):
            async with Waiting(answer, is_stream=True) as wait:
                wait.now(Stage.LOADING, words)
                await client.told.wait()
                raise EngineDown("It is down.", "Start it.")
        await answer.fail(EngineDown("It is down.", "Start it."))
        assert client.text.endswith('"fix": "Start it."}}\n\n')
        assert "data: {" in client.text

    run(work())


def test_what_the_engine_refuses_after_the_first_comment_is_an_event_too() -> None:
    async def work() -> None:
        client = Client()
        answer = Answer(client.send)
        await answer.comment("reading the prompt")
        told = b'{"error": {"message": "too long", "type": "x"}}'
        await answer.whole(told, "application/json", 400)
        assert client.text == f": reading the prompt\n\n\n\ndata: {told.decode()}\n\n"

    run(work())


def test_who_wants_no_stream_is_told_nothing() -> None:
    async def work() -> None:
        client = Client()
        async with Waiting(Answer(client.send), is_stream=False) as wait:
            wait.now(Stage.LOADING, words)
            for _ in range(10):
                await asyncio.sleep(0)
        assert client.sent == []

    run(work())


def test_a_wait_that_is_over_in_time_says_nothing_and_does_not_yield(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 60.0)

    async def work() -> None:
        client = Client()
        async with Waiting(Answer(client.send), is_stream=True) as wait:
            ending = wait.over()
            with pytest.raises(StopIteration):
                ending.send(None)
        assert client.sent == []

    run(work())


def test_stages_are_heard_by_whoever_wants_to_know() -> None:
    heard: list[str] = []

    async def work() -> None:
        async with Waiting(Answer(Client().send), is_stream=False, hears=heard.append) as wait:
            wait.now(Stage.QUEUE, words)
            wait.now(Stage.READING, words)

    run(work())
    assert heard == ["queue", "reading"]


def test_a_client_that_has_left_is_told_nothing_more() -> None:
    async def work() -> None:
        client = Client()

        async def ask() -> None:
            async with Waiting(Answer(client.send), is_stream=True) as wait:
                wait.now(Stage.LOADING, words)
                await asyncio.Event().wait()

        before = asyncio.all_tasks()
        asking = asyncio.create_task(ask())
        await client.told.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    run(work())
