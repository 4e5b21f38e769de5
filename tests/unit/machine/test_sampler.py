"""What the machine is, and the sampler that watches it."""

import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.machine import cards, network
from lib.machine import sampler as system
from lib.machine.sampler import Sampler, machine, memory_available_bytes
from tests.support.cards import living_in
from tests.support.waiting import until


def wait_for(sampler: Sampler, count: int) -> None:
    give_up_at = time.monotonic() + 10
    while len(sampler.samples()) < count:
        assert time.monotonic() < give_up_at, "the sampler does not sample"
        time.sleep(0.01)


def test_the_facts_are_those_of_this_machine() -> None:
    facts = machine()
    assert facts.os
    assert facts.cpu
    assert 1 <= facts.cores <= facts.threads
    assert 0 < facts.memory_bytes <= psutil.virtual_memory().total


def test_available_memory_is_never_more_than_the_system_says_or_than_there_is() -> None:
    slack = 256 * 2**20  # others on this machine free memory between the two looks
    assert 0 < memory_available_bytes() <= psutil.virtual_memory().available + slack
    assert memory_available_bytes() <= machine().memory_bytes


def test_the_sampler_keeps_samples_in_order_and_stops() -> None:
    sampler = Sampler(interval_seconds=0.02)
    sampler.start()
    wait_for(sampler, 3)
    sampler.stop()
    taken = sampler.samples()
    assert [sample.at for sample in taken] == sorted(sample.at for sample in taken)
    time.sleep(0.1)
    assert sampler.samples() == taken


def test_a_sample_tells_what_can_be_true() -> None:
    sampler = Sampler(interval_seconds=0.02)
    sampler.start()
    wait_for(sampler, 2)
    sampler.stop()
    sample = sampler.latest()
    assert 0 <= sample.cpu_percent <= 100
    assert sample.memory_used_bytes + sample.memory_available_bytes == machine().memory_bytes
    assert sample.disk_free_bytes > 0
    assert sample.received_bytes_per_second >= 0
    assert sample.sent_bytes_per_second >= 0


def test_the_sampler_forgets_what_is_older_than_an_hour() -> None:
    assert Sampler(interval_seconds=2.0)._samples.maxlen == 1800


def test_a_sampler_can_be_started_twice_and_again_after_its_end() -> None:
    sampler = Sampler(interval_seconds=0.02)
    sampler.start()
    sampler.start()
    sampler.stop()
    sampler.stop()
    sampler.start()
    wait_for(sampler, 1)
    sampler.stop()


def test_without_a_server_the_latest_sample_is_taken_now() -> None:
    sampler = Sampler()
    assert abs(sampler.latest().at - time.time()) < 5
    assert sampler.samples() == []


def test_a_models_folder_that_does_not_exist_yet_still_has_free_space(home: Path) -> None:
    assert not home.exists()
    assert Sampler().latest().disk_free_bytes > 0


def test_a_look_that_fails_does_not_end_the_looking(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sampler, is_broken = Sampler(interval_seconds=0.01), threading.Event()

    def rates() -> tuple[float, float]:
        if is_broken.is_set():
            raise OSError("no such interface")
        return 0.0, 0.0

    monkeypatch.setattr(sampler, "_rates", rates)
    sampler.start()
    wait_for(sampler, 1)
    is_broken.set()
    until(lambda: caplog.records)
    assert "no such interface" in caplog.text
    is_broken.clear()
    wait_for(sampler, len(sampler.samples()) + 2)
    sampler.stop()
    assert len(caplog.records) == 1


def test_a_sample_remembers_how_busy_and_how_full_each_card_was() -> None:
    with living_in("two-cards"):
        now, seen = Sampler().latest(), Sampler().cards().cards
    assert [(use.key, use.percent, use.used_bytes) for use in now.cards] == [
        (card.uuid, card.utilization_percent, card.used_bytes) for card in seen
    ]


def test_a_sample_says_nothing_of_cards_that_do_not_answer() -> None:
    with living_in("lost-card"):
        assert len(Sampler().latest().cards) == 1
    for name in ("mismatch", "no-driver"):
        with living_in(name):
            assert Sampler().latest().cards == ()


def test_the_newest_look_at_the_cards_is_that_of_the_sampler() -> None:
    with living_in("one-card") as world:
        sampler = Sampler(interval_seconds=0.01)
        sampler.start()
        wait_for(sampler, 1)
        world.card(0, nvmlDeviceGetTemperatureV=91)
        until(lambda: sampler.cards().cards[0].temperature_c == 91)
        sampler.stop()


def test_whoever_asks_a_running_sampler_causes_no_look() -> None:
    with living_in("one-card"):
        sampler = Sampler(interval_seconds=60)
        sampler.start()
        until(lambda: sampler.cards() is sampler.cards())
        sampler.stop()


def test_a_driver_that_hangs_stops_neither_the_samples_nor_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "PATIENCE_SECONDS", 0.05)
    with living_in("two-cards") as world:
        sampler = Sampler(interval_seconds=0.01)
        sampler.start()
        wait_for(sampler, 1)
        world.card(0, nvmlDeviceGetPowerUsage={"hangs": True})
        monkeypatch.setattr(cards, "LATE_SECONDS", 0.0)
        until(lambda: sampler.cards().problem)
        wait_for(sampler, len(sampler.samples()) + 5)
        assert sampler.latest().cards == ()  # a gap, rather than old figures as if they were new
        assert len(sampler.cards().cards) == 2
        sampler.stop()  # returns
        world.card(0, nvmlDeviceGetPowerUsage=1)


def cgroup(folder: Path, limit: str, current: str = "0", inactive: int = 0) -> Path:
    (folder / "memory.max").write_text(limit)
    (folder / "memory.current").write_text(current)
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\n")
    return folder


GIB = 2**30


@pytest.mark.parametrize(
    ("limit", "current", "inactive", "room"),
    [
        (str(4 * GIB), str(3 * GIB), 0, GIB),
        (str(4 * GIB), str(4 * GIB), GIB, GIB),  # file pages can be dropped
        (str(GIB), str(2 * GIB), 0, 0),
        ("max\n", str(2 * GIB), 0, None),
        ("", "", 0, None),
        ("nonsense", "nonsense", 0, None),
    ],
)
def test_a_containers_limit_leaves_the_room_it_says(
    tmp_path: Path, limit: str, current: str, inactive: int, room: int | None
) -> None:
    assert system.room_bytes(cgroup(tmp_path, limit, current, inactive)) == room


def test_a_machine_without_cgroups_has_no_such_limit(tmp_path: Path) -> None:
    assert system.room_bytes(tmp_path / "absent") is None


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=200))
def test_no_content_of_the_limit_files_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, limit: str, current: str, stat: str
) -> None:
    folder = tmp_path_factory.mktemp("cgroup")
    (folder / "memory.max").write_text(limit, encoding="utf-8", errors="replace")
    (folder / "memory.current").write_text(current, encoding="utf-8", errors="replace")
    (folder / "memory.stat").write_text(stat, encoding="utf-8", errors="replace")
    room = system.room_bytes(folder)
    assert room is None or room >= 0


ARCSTATS = """13 1 0x01 147 39984 4523186233 72263246482331
name                            type data
hits                            4    2104238
c                               4    {c}
c_min                           4    {c_min}
c_max                           4    67000000000
size                            4    {size}
arc_no_grow                     4    0
"""
GIB = 2**30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARCSTATS.format(c=50 * GIB, size=40 * GIB, c_min=2 * GIB), 38 * GIB),
        (ARCSTATS.format(c=2 * GIB, size=GIB, c_min=2 * GIB), 0),
        (ARCSTATS.format(c=1, size=40 * GIB, c_min="?"), 40 * GIB),
        ("size 4 -5\nc_min 4 x", 0),
        ("", 0),
    ],
)
def test_what_zfs_gives_back_is_all_above_the_least_it_keeps(
    tmp_path: Path, text: str, expected: int
) -> None:
    (tmp_path / "arcstats").write_text(text)
    assert system.cached_by_zfs_bytes(tmp_path / "arcstats") == expected
    assert system.cached_by_zfs_bytes(tmp_path / "nothing") == 0


def test_the_cache_of_zfs_counts_as_free_and_a_lie_is_bounded_by_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    cache = tmp_path / "arcstats"
    monkeypatch.setattr(system, "ZFS_CACHE", cache)
    monkeypatch.setattr(system, "room_bytes", lambda _: None)
    held = (memory.total - memory.available) // 2
    cache.write_text(ARCSTATS.format(c=1, size=held, c_min=0))
    found = system.memory_available_bytes() - psutil.virtual_memory().available
    assert found == pytest.approx(held, abs=GIB)
    cache.write_text(ARCSTATS.format(c=1, size=2**62, c_min=0))
    assert system.memory_available_bytes() == memory.total
    monkeypatch.setattr(system, "room_bytes", lambda _: GIB)
    assert system.memory_available_bytes() == GIB


def test_figures_that_cannot_be_renewed_are_told_as_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "STALE_SECONDS", 0.2)
    sampler = Sampler(interval_seconds=0.02)
    assert sampler.silent_seconds() == 0
    sampler.start()
    wait_for(sampler, 2)
    assert sampler.silent_seconds() == 0
    with monkeypatch.context() as broken:
        broken.setattr(psutil, "cpu_percent", lambda: 1 // 0)
        until(lambda: sampler.silent_seconds() > 0)
    until(lambda: sampler.silent_seconds() == 0)
    sampler.stop()
    assert sampler.silent_seconds() == 0


def test_a_disk_that_hangs_ends_no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(system, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(system, "ROOM_SECONDS", 0.0)
    monkeypatch.setattr(system, "free_bytes", lambda _: answers.wait(60) and 7)
    sampler = Sampler(interval_seconds=0.01)
    sampler.start()
    wait_for(sampler, 5)
    assert sampler.latest().disk_free_bytes == 0
    answers.set()
    until(lambda: sampler.latest().disk_free_bytes == 7)
    sampler.stop()


def test_what_was_kept_of_the_hour_before_comes_first(home: Path) -> None:
    past = [Sampler().latest().model_copy(update={"at": time.time() - 600})]
    sampler = Sampler(interval_seconds=0.01)
    sampler.start(past=past)
    wait_for(sampler, 3)
    sampler.stop()
    assert sampler.samples()[0] == past[0]
    assert sampler.latest() != past[0]


def test_a_sample_tells_of_swap_and_of_what_passes_through_disks() -> None:
    sampler = Sampler(interval_seconds=0.02)
    sampler.start()
    wait_for(sampler, 2)
    sampler.stop()
    sample = sampler.latest()
    assert (sample.swap_used_bytes or 0) <= system.swap_bytes()
    told = (sample.read_bytes_per_second, sample.written_bytes_per_second)
    assert all(rate is None or rate >= 0 for rate in told)
    assert not any(network.is_own(name) for name in sampler.traffic())
