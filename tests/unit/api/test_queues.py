"""Who is answered when by a model that takes few requests at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from lib.api import queues
from lib.api.answer import Answer
from lib.api.queues import Limits, Line, QueueIsFull, Turn
from lib.api.waiting import Waiting
from lib.engines.base import Upstream

TO = Upstream(base_url="http://engine/v1", model="m", slots=1)


@pytest.fixture(autouse=True)
def _usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "limits", lambda: Limits(0, 64))
    monkeypatch.setattr(queues, "_lines", {})


async def _nowhere(_: Any) -> None:
    return None


def turn(caller: str = "a", to: Upstream = TO) -> Turn:
    return Turn(to, "m", caller, Waiting(Answer(_nowhere), is_stream=False))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def test_a_free_place_is_taken_without_giving_way_to_anybody() -> None:
    entering = turn().__aenter__()
    with pytest.raises(StopIteration):  # it came to its end in one go
        entering.send(None)


def test_an_engine_that_queues_by_itself_gets_everything() -> None:
    line = Line(slots=0)
    assert all(line.take() for _ in range(1_000))


def test_callers_take_turns_and_each_ones_requests_keep_their_order() -> None:
    async def work() -> None:
        done: list[str] = []

        async def ask(caller: str, name: str) -> None:
            async with turn(caller):
                done.append(name)

        async with turn("first"):
            names = ["a1", "a2", "a3", "b1", "c1", "c2"]
            tasks = [asyncio.create_task(ask(name[0], name)) for name in names]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert done == ["a1", "b1", "c1", "a2", "c2", "a3"]

    run(work())


def test_the_number_of_those_before_is_true_to_the_turns() -> None:
    async def work() -> None:
        line = Line(slots=1)
        assert line.take()
        turns = [(name, line.join(name[0])) for name in ("a1", "a2", "a3", "b1", "c1", "c2")]
        told = {name: line.before(name[0], one) for name, one in turns}
        assert sorted(told, key=lambda name: told[name]) == ["a1", "b1", "c1", "a2", "c2", "a3"]
        assert sorted(told.values()) == [0, 1, 2, 3, 4, 5]

    run(work())


def test_no_more_than_the_slots_are_answered_at_once() -> None:
    async def work() -> None:
        now, most = 0, 0

        async def ask() -> None:
            nonlocal now, most
            async with turn(to=TO.model_copy(update={"slots": 3})):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1

        await asyncio.gather(*(ask() for _ in range(20)))
        assert (now, most) == (0, 3)

    run(work())


def test_what_the_owner_has_set_goes_before_the_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "limits", lambda: Limits(2, 64))
    line = Line(slots=1)
    assert [line.take() for _ in range(3)] == [True, True, False]


def test_a_queue_has_an_end_and_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "limits", lambda: Limits(0, 1))

    async def work() -> None:
        async with turn():
            waiting = asyncio.create_task(turn().__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(QueueIsFull, match="1 request for “m” wait") as refused:
                await turn().__aenter__()
            assert refused.value.headers == [(b"retry-after", b"5")]
            assert "about 5 s" in refused.value.fix
        await waiting

    run(work())


def test_the_time_to_come_again_is_learned_from_the_answers() -> None:
    line = Line(slots=2)
    assert line.take()
    line.give_back(30.0)
    assert line.retry_seconds() == 15
    for _ in range(30):
        assert line.take()
        line.give_back(2.0)
    assert line.retry_seconds() == 2
    assert line.take()
    line.give_back(100_000.0)
    assert line.retry_seconds() == 60


def test_whoever_leaves_the_queue_is_no_longer_in_it() -> None:
    async def work() -> None:
        async with turn():
            leaver = asyncio.create_task(turn("leaver").__aenter__())
            stayer = asyncio.create_task(turn("stayer").__aenter__())
            await asyncio.sleep(0)
            line = queues.line_of(TO)
            assert line.length == 2
            leaver.cancel()
            await asyncio.wait([leaver])
            assert (line.length, list(line.waiting)) == (1, ["stayer"])
        await stayer

    run(work())


def test_a_turn_that_comes_to_one_who_leaves_at_that_moment_goes_on_to_the_next() -> None:
    async def work() -> None:
        first = turn()
        await first.__aenter__()
        leaver = asyncio.create_task(turn("leaver").__aenter__())
        stayer = asyncio.create_task(turn("stayer").__aenter__())
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)  # the leaver's turn has come
        leaver.cancel()
        await asyncio.wait([leaver])
        await stayer
        assert queues.line_of(TO).running == 1

    run(work())


def test_a_place_is_not_lost_on_one_who_was_cancelled_just_before() -> None:
    async def work() -> None:
        first = turn()
        await first.__aenter__()
        leaver = asyncio.create_task(turn("leaver").__aenter__())
        stayer = asyncio.create_task(turn("stayer").__aenter__())
        await asyncio.sleep(0)
        leaver.cancel()  # and has not run since
        await first.__aexit__(None, None, None)
        await stayer
        assert queues.line_of(TO).running == 1

    run(work())


def test_a_request_that_fails_gives_its_place_back_and_teaches_nothing() -> None:
    async def work() -> None:
        with pytest.raises(ValueError, match="x"):
            async with turn():
                raise ValueError("x")
        line = queues.line_of(TO)
        assert (line.running, line.seconds) == (0, 0.0)

    run(work())


def test_lines_of_engines_that_are_no_more_are_forgotten() -> None:
    async def work() -> None:
        for number in range(queues.MOST_LINES + 50):
            async with turn(to=TO.model_copy(update={"base_url": f"http://{number}/v1"})):
                pass
        assert len(queues._lines) <= queues.MOST_LINES

    run(work())


def test_those_that_wait_go_on_when_the_owner_allows_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        line = Line(slots=1)
        assert line.take()
        waiting = line.join("a")
        monkeypatch.setattr(queues, "limits", lambda: Limits(3, 64))
        assert line.take()  # whoever comes next, and nobody's answer has ended
        assert waiting.done()
        assert (line.running, line.length) == (3, 0)

    run(work())
