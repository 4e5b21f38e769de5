"""Models that ended by themselves come back: real children of the built-in engine are killed."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core import activity, preferences
from lib.core.access import BERTH, Role, acting
from lib.core.activity import Kind
from lib.engines import find_model, variants
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import records
from lib.fleet import actions, comeback, tries
from lib.fleet.comeback import Comeback
from lib.fleet.tries import PAUSES
from tests.support.llamacpp import child_of
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

SMALL = StartOptions(context=256, threads=1, prompt_cache_mib=0)


@pytest.fixture(autouse=True)
def _tiny(home: object, models: Path) -> Iterator[None]:
    write_tiny(models / "tiny.gguf")
    with acting(Role.OWNER):
        actions.start(find_model("tiny"), SMALL)
        yield


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "PAUSES", (0.0, 0.0, 0.0))


def ended(number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(child_of("tiny").pid, number)
    until(lambda: find_model("tiny").state == State.FAILED, "it has ended")


def look() -> list[str]:
    with acting(Role.OWNER, BERTH):
        return Comeback().look()


def test_it_comes_back_with_the_same_options_after_a_pause() -> None:
    ended()
    assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert 0 < known.wait_seconds <= PAUSES[0]
    tries.keep("tiny", known.model_copy(update={"last": time.time() - PAUSES[0]}))
    assert look() == ["tiny"]
    record = records.read("tiny")
    assert record is not None
    assert record.options == SMALL
    assert find_model("tiny").state == State.READY
    assert (activity.recent()[0].kind, activity.recent()[0].who) == (Kind.STARTED, "Berth")


@pytest.mark.usefixtures("at_once")
def test_it_is_left_alone_after_some_tries_and_each_has_a_log() -> None:
    for _ in PAUSES:
        ended()
        assert look() == ["tiny"]
    ended()
    assert look() == []
    assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert "started again 3 times and ended each time" in known.gave_up
    assert [event.detail for event in activity.recent(20, (Kind.FAILED,))] == [known.gave_up]
    logs = tries.logs(find_model("tiny"))
    assert [path.suffix for path in logs] == [".end1", ".end2", ".end3"]
    assert all(path.read_text() for path in logs)


@pytest.mark.usefixtures("at_once")
def test_what_a_person_starts_begins_anew_and_what_they_stop_stays() -> None:
    for _ in PAUSES:
        ended()
        look()
    ended()
    look()
    actions.start(find_model("tiny"), SMALL)
    assert tries.of("tiny") is None
    ended()
    assert look() == ["tiny"]
    actions.stop(find_model("tiny"))
    assert look() == []
    assert find_model("tiny").state == State.STOPPED
    assert tries.of("tiny") is None


@pytest.mark.usefixtures("at_once")
def test_one_that_was_told_to_end_from_outside_is_left_alone() -> None:
    ended(signal.SIGTERM)
    assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert "told to end by something outside Berth" in known.gave_up


@pytest.mark.usefixtures("at_once")
def test_one_that_the_system_ended_for_lack_of_memory_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comeback, "ran_out_since", lambda before: True)
    ended()
    assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert known.gave_up.startswith("Memory ran out")


@pytest.mark.usefixtures("at_once")
def test_where_there_is_no_room_it_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ended()
    monkeypatch.setattr("lib.machine.sampler.memory_available_bytes", lambda: 2**20)
    for _ in range(6):
        assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert known.count == len(PAUSES)
    assert "needs about" in known.gave_up


def test_it_can_be_switched_off() -> None:
    preferences.change(restarts_crashed=False)
    ended()
    assert look() == []
    assert tries.of("tiny") is None


def test_after_a_long_good_run_the_tries_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    tries.keep("tiny", tries.Tries(count=2))
    assert look() == []
    assert tries.of("tiny") is not None
    monkeypatch.setattr(comeback, "WELL_SECONDS", 0.0)
    look()
    assert tries.of("tiny") is None


def test_one_that_never_came_to_run_is_not_started_again(models: Path) -> None:
    record = records.read("tiny")
    assert record is not None
    records.save(record.model_copy(update={"context": None}))
    ended()
    assert look() == []
    assert tries.of("tiny") is None


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    known = tries.Tries(count=2, last=time.time() + 3_600)
    assert known.wait_seconds == 0.0


def test_it_comes_back_as_it_was_whatever_was_chosen_since() -> None:
    variants.save("llamacpp/tiny", "Longer", StartOptions(context=512, threads=2))
    ended()
    look()
    known = tries.of("tiny")
    assert known is not None
    tries.keep("tiny", known.model_copy(update={"last": 0.0}))
    assert look() == ["tiny"]
    record = records.read("tiny")
    assert record is not None
    assert record.options == SMALL


@pytest.mark.usefixtures("at_once")
def test_an_engine_that_ends_well_was_told_to() -> None:
    child = child_of("tiny")
    ended()
    records.file_of("tiny", "exit").write_text(f"{child.pid} 0")
    assert look() == []
    known = tries.of("tiny")
    assert known is not None
    assert "told to end" in known.gave_up


@pytest.mark.usefixtures("at_once")
def test_what_ended_with_the_machine_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ended(signal.SIGTERM)
    monkeypatch.setattr(records, "boot", lambda: "another start of the machine")
    assert look() == []
    assert find_model("tiny").state == State.STOPPED
    assert activity.recent(20, (Kind.FAILED,)) == []
