"""Whose turn it is to write what slots share."""

import os
import threading
from pathlib import Path

import pytest

from lib.core.errors import Conflict
from lib.engines.vllm.places import Places
from lib.processes.identity import created_at
from lib.slots import turns
from lib.slots.journal import Journal, Owner
from tests.support.waiting import until

GONE = Owner(pid=2**22 + 1, created_at=1.0)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(turns, "LOOK_SECONDS", 0.01)
    return Places(root=tmp_path)


def never(_slot: int) -> None:
    raise AssertionError


def me() -> Owner:
    return Owner(pid=os.getpid(), created_at=created_at(os.getpid()))


def test_the_first_has_it_and_may_take_it_again(places: Places) -> None:
    turns.take(places, 0, never, never)
    Journal(places.state(0)).begin("one", me())
    turns.take(places, 0, never, never)


def test_the_second_waits_until_the_first_is_through(places: Places) -> None:
    journal = Journal(places.state(0))
    turns.take(places, 0, never, never)
    journal.begin("one", me())
    waited: list[int] = []
    second = threading.Thread(target=turns.take, args=(places, 1, waited.append, never))
    second.start()
    until(lambda: waited)
    assert second.is_alive()
    journal.close()
    turns.give_back(places, 0)
    second.join(10)
    assert not second.is_alive()
    assert waited == [0]


def test_a_run_that_is_no_more_is_taken_back_first(places: Places) -> None:
    journal = Journal(places.state(0))
    turns.take(places, 0, never, never)
    journal.begin("one", GONE)
    broken: list[int] = []

    def take_back(slot: int) -> None:
        broken.append(slot)
        journal.close()

    turns.take(places, 1, never, take_back)
    assert broken == [0]
    turns.take(places, 1, never, never)


def test_a_slot_is_worked_on_by_one_step_at_a_time(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOCK_SECONDS", 0.0)
    with (
        turns.working(places, 0),
        turns.working(places, 1),
        pytest.raises(Conflict, match="slot 0"),
        turns.working(places, 0),
    ):
        pass
    with turns.working(places, 0):
        pass
