"""Several models answer one question: together, or in turn where memory has no room for all."""

import time
from collections.abc import Callable, Iterator

import pytest

from lib.chat import compare, replies
from lib.chat.conversations import new_id
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines.base import Message, StartOptions, State
from lib.engines.ollama import ENGINE as OLLAMA
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.fake_ollama import RunningOllama
from tests.support.ollama import faking, model
from tests.support.waiting import until

GB = 10**9
SECONDS = 20
SMALL, LARGE, TINY = "llama3.2:1b", "llama3.2:3b", "thinker:latest"
ROOM_FOR_ALL, ROOM_FOR_ONE, ROOM_FOR_NONE = 100 * GB, 3 * GB, 1 * GB


@pytest.fixture(autouse=True)
def nothing_loaded_before() -> Iterator[None]:
    compare._loaded.clear()
    yield
    compare._loaded.clear()


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningOllama]:
    """Models that do not run; each fits alone into ROOM_FOR_ONE."""
    with faking(monkeypatch, "--models", f"{SMALL},{LARGE},{TINY}", "--gap-ms", "20") as fake:
        yield fake


@pytest.fixture
def engine() -> Iterator[Running]:
    """A model that somebody else has started."""
    with running_fake("--tokens", "30") as fake:
        lay_fake(settings().home, fake)
        yield fake


def compared(*names: str, free_bytes: int | Callable[[], int]) -> list[Reply]:
    """Ask all of them; those with a colon are Ollama's."""
    round_id, question = new_id(), (Message(role="user", content="Hello"),)
    requests = [
        ReplyRequest(
            conversation="c1",
            owner="me",
            model=name,
            engine="ollama" if ":" in name else "llamacpp",
            messages=question,
            round=round_id,
            lane=lane,
        )
        for lane, name in enumerate(names, start=1)
    ]
    return compare.start(requests, free_bytes if callable(free_bytes) else lambda: free_bytes)


def finished(found: list[Reply]) -> list[ReplyState]:
    assert all(reply.wait(SECONDS) for reply in found)
    return [reply.state for reply in found]


def asked(ollama: RunningOllama) -> list[tuple[str, str]]:
    """What Ollama was told to do, in order: load, unload or chat, and the model."""
    told = []
    for call in ollama.record():
        if call["path"] == "/api/generate":
            does = "load" if call["body"]["keep_alive"] else "unload"
            told.append((does, call["body"]["model"]))
        elif call["path"] == "/api/chat":
            told.append(("chat", call["body"]["model"]))
    return told


def states() -> dict[str, State]:
    return {row.name: row.state for row in OLLAMA.models()}


def test_with_room_for_all_none_waits_and_all_stay_loaded(ollama: RunningOllama) -> None:
    found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_ALL)
    until(lambda: all(reply.text for reply in found))
    assert not any(reply.is_over for reply in found)
    assert finished(found) == [ReplyState.DONE] * 2
    assert not any('"waiting"' in line for reply in found for line in reply.lines)
    assert "unload" not in dict(asked(ollama))
    assert states() == {SMALL: State.READY, LARGE: State.READY, TINY: State.STOPPED}


def test_with_room_for_one_the_second_waits_and_takes_the_place_of_the_first(
    ollama: RunningOllama,
) -> None:
    first, second = found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE)
    until(lambda: second.state == ReplyState.WAITING)
    assert f'["s", "waiting", "{SMALL}"]\n' in second.lines
    assert not first.is_over
    assert finished(found) == [ReplyState.DONE] * 2
    assert asked(ollama) == [
        ("load", SMALL),
        ("chat", SMALL),
        ("unload", SMALL),
        ("load", LARGE),
        ("chat", LARGE),
    ]


def test_the_next_round_begins_with_what_the_last_one_has_loaded(ollama: RunningOllama) -> None:
    finished(compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE))
    before = len(asked(ollama))
    assert finished(compared(SMALL, LARGE, free_bytes=GB)) == [ReplyState.FAILED, ReplyState.DONE]
    assert asked(ollama)[before:] == [("chat", LARGE), ("unload", LARGE)]
    assert finished(compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE)) == [ReplyState.DONE] * 2


@pytest.mark.usefixtures("ollama")
def test_what_another_round_has_left_loaded_makes_way_before_anybody_waits() -> None:
    def free_bytes() -> int:
        return 1 * GB if states()[LARGE] == State.READY else 3 * GB

    finished(compared(LARGE, free_bytes=ROOM_FOR_ALL))
    found = compared(SMALL, TINY, free_bytes=free_bytes)
    assert finished(found) == [ReplyState.DONE] * 2
    assert not any('"waiting"' in line for reply in found for line in reply.lines)
    assert states()[LARGE] == State.STOPPED


def test_a_model_that_ran_before_answers_at_once_and_is_never_stopped(
    ollama: RunningOllama, engine: Running
) -> None:
    engine.behave(gap_ms=5)
    found = compared("fake", SMALL, LARGE, free_bytes=ROOM_FOR_ONE)
    until(lambda: found[2].state == ReplyState.WAITING)
    assert finished(found) == [ReplyState.DONE] * 3
    assert not any('"waiting"' in line for reply in found[:2] for line in reply.lines)
    assert engine.process.poll() is None
    assert found[0].text.split()[0] == "t0"
    assert states()[LARGE] == State.READY


def test_a_model_of_ollama_that_ran_before_is_not_stopped_to_make_room(
    ollama: RunningOllama,
) -> None:
    OLLAMA.start(SMALL, StartOptions())
    assert finished(compared(SMALL, LARGE, free_bytes=GB)) == [ReplyState.DONE, ReplyState.FAILED]
    assert "unload" not in dict(asked(ollama))
    assert (states()[SMALL], states()[LARGE]) == (State.READY, State.STOPPED)


def test_what_does_not_fit_is_not_loaded_and_says_by_how_much(ollama: RunningOllama) -> None:
    found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_NONE)
    assert finished(found) == [ReplyState.FAILED] * 2
    assert asked(ollama) == []
    for reply in found:
        assert reply.problem
        assert "does not fit" in reply.problem.message
        assert "954 MiB are free" in reply.problem.message
        assert reply.problem.fix


@pytest.mark.usefixtures("ollama")
def test_one_that_is_not_there_fails_alone() -> None:
    missing, there = found = compared("nobody", SMALL, free_bytes=ROOM_FOR_ONE)
    assert finished(found) == [ReplyState.FAILED, ReplyState.DONE]
    assert missing.problem
    assert "nobody" in missing.problem.message
    assert there.text


def test_an_engine_that_dies_lets_the_next_one_go_on(ollama: RunningOllama) -> None:
    ollama.behave(die_after=3, load_ms=1_500)  # time to change it before the second one speaks
    first, second = found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE)
    until(lambda: first.is_over)
    ollama.behave(die_after=-1)
    assert finished(found) == [ReplyState.FAILED, ReplyState.DONE]
    assert second.text


def test_stop_ends_all_and_none_that_waited_is_loaded_after_it(ollama: RunningOllama) -> None:
    ollama.behave(gap_ms=1_000)
    found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE)
    until(lambda: found[0].text and found[1].state == ReplyState.WAITING)
    first, waiting = found
    was_over: list[bool] = []
    with first.listening(lambda: was_over.append(waiting.is_over)):
        replies.stop_all(found)
    assert was_over
    assert all(was_over), "the one that waits could still take its turn"
    assert finished(found) == [ReplyState.STOPPED] * 2
    time.sleep(0.3)  # time enough for what must not happen
    assert ("load", LARGE) not in asked(ollama)
    ollama.last_call("left")
    assert ("ollama", LARGE) not in compare._loaded


def test_one_that_somebody_still_talks_to_is_not_taken_away(ollama: RunningOllama) -> None:
    finished(compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE))
    ollama.behave(gap_ms=100)
    [talking] = compared(LARGE, free_bytes=ROOM_FOR_ALL)
    until(lambda: talking.text)
    [asked_meanwhile] = compared(SMALL, free_bytes=GB)
    finished([asked_meanwhile])
    assert model(LARGE).state == State.READY
    assert finished([talking]) == [ReplyState.DONE]


@pytest.mark.usefixtures("ollama")
def test_a_restart_in_the_middle_keeps_what_came_in_every_column() -> None:
    found = compared(SMALL, LARGE, free_bytes=ROOM_FOR_ONE)
    until(lambda: found[0].text and found[1].state == ReplyState.WAITING)
    spools = [settings().replies / f"{reply.id}.jsonl" for reply in found]
    until(lambda: found[0].text.split()[0].encode() in spools[0].read_bytes())
    kept = [path.read_bytes() for path in spools]
    replies.stop_all(found)
    finished(found)
    for path, data in zip(spools, kept, strict=True):
        path.write_bytes(data)
    replies._running.clear()
    first, second = replies.latest("c1", "me")
    assert [first.request.lane, second.request.lane] == [1, 2]
    assert {first.state, second.state} == {ReplyState.INTERRUPTED}
    assert first.text
    assert not second.text


@pytest.mark.parametrize("free_bytes", [ROOM_FOR_ALL, ROOM_FOR_NONE])
def test_what_a_guest_may_not_load_does_not_pass_for_loaded(
    ollama: RunningOllama, engine: Running, free_bytes: int
) -> None:
    with acting(Role.GUEST, "guest-1"):
        _, refused = found = compared("fake", SMALL, free_bytes=free_bytes)
        finished(found)
    assert refused.problem is not None
    assert "guests cannot start it" in refused.problem.message
    assert compare._loaded == set()
    assert [does for does, _ in asked(ollama)] == []
