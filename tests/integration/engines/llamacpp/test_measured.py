"""What a load was expected to take, and what it took."""

import os
import signal

import pytest

from lib.engines import find_model, room
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, files, measured, records
from lib.processes import background
from lib.processes.background import Child
from tests.support.llamacpp import COUNT, EXACT, SMALL, child_of

MIB = 2**20


def test_what_a_load_takes_is_kept_beside_what_was_expected(starter: str) -> None:
    assert measured.look(starter) is None
    alone = SMALL.model_copy(update={"prompt_cache_mib": 0})
    ENGINE.start(starter, alone)
    list(ENGINE.chat(starter, COUNT, EXACT.model_copy(update={"max_tokens": 8})))
    running = measured.look(starter)
    assert running is not None
    assert running.options == alone
    assert 0 < running.of_files < running.taken
    assert running.taken == pytest.approx(running.expected, rel=0.1)
    ENGINE.stop(starter)
    kept = measured.look(starter)
    assert kept is not None
    assert kept.at >= running.at
    assert abs(kept.taken - running.taken) < 64 * MIB


def test_a_longer_context_is_expected_to_take_more(starter: str) -> None:
    found = []
    for context in (512, 8_192):
        ENGINE.start(starter, StartOptions(context=context, threads=1))
        found.append(measured.look(starter))
    short, long = found
    assert short is not None
    assert long is not None
    assert long.expected > short.expected + 32 * MIB
    assert long.taken > short.taken + 32 * MIB


def test_one_that_died_keeps_what_was_measured_and_a_removed_one_nothing(starter: str) -> None:
    ENGINE.start(starter, SMALL)
    before = measured.look(starter)
    os.kill(child_of(starter).pid, signal.SIGKILL)
    after = measured.look(starter)
    assert before is not None
    assert after is not None
    assert after.taken == before.taken
    ENGINE.remove(starter)
    assert not records.file_of(starter, "memory").exists()


def test_a_process_that_is_not_there_holds_nothing() -> None:
    assert background.held(Child(pid=2**22 - 3, created_at=0)) is None


def test_each_set_of_options_has_figures_of_its_own_and_a_speed(starter: str) -> None:
    other = SMALL.model_copy(update={"context": 1_024})
    for options in (SMALL, other):
        ENGINE.start(starter, options)
        list(ENGINE.chat(starter, COUNT, EXACT.model_copy(update={"max_tokens": 48})))
        assert measured.look(starter) is not None
        record = records.read(starter)
        assert record is not None
        measured.note_speed(record)
    ENGINE.stop(starter)
    one, two = (measured.with_options(starter, options) for options in (SMALL, other))
    assert one is not None
    assert two is not None
    assert two.expected > one.expected
    assert one.tokens_per_second is not None
    assert two.tokens_per_second is not None
    assert measured.with_options(starter, StartOptions()) is None


def test_a_file_of_before_has_one_set(starter: str) -> None:
    ENGINE.start(starter, SMALL)
    found = measured.look(starter)
    assert found is not None
    ENGINE.stop(starter)
    records.file_of(starter, "memory").write_text(found.model_dump_json())
    assert measured.with_options(starter, SMALL) == found


def test_what_was_taken_beyond_the_estimate_is_added_to_the_next_one(starter: str) -> None:
    ENGINE.start(starter, SMALL)
    found = measured.look(starter)
    assert found is not None
    ENGINE.stop(starter)
    file = files.find(starter)
    assert measured.beyond(file) <= 0
    more = found.model_copy(update={"taken": found.expected + found.of_files + 100 * MIB})
    records.file_of(starter, "memory").write_text(f"[{more.model_dump_json()}]")
    assert measured.beyond(file) == 100 * MIB
    model = find_model(starter)
    long = StartOptions(context=8_192, threads=1)
    assert room.of_file(model, long) == measured.expected(file, long) + 100 * MIB
