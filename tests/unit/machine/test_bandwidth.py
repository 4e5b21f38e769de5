"""How fast the memory is: what is measured, what is kept, and when it is measured again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.settings import settings
from lib.machine import bandwidth
from lib.machine.bandwidth import Measured, has_reached, known, of_this_machine, read_bandwidth

GB = 1e9


class Machine:
    """One that measures what a test says, and is as busy as it says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tries: Iterator[Measured] = iter(())
        self.count, self.now, self.others = 0, 1_000_000.0, 0.0
        monkeypatch.setattr(bandwidth, "measured", self._measured)
        monkeypatch.setattr(bandwidth, "others_share", lambda seconds: self.others)
        monkeypatch.setattr("lib.machine.bandwidth.time.time", lambda: self.now)

    def will_measure(self, *tries: tuple[float, bool]) -> None:
        self.tries = iter(Measured(best * GB, is_rough) for best, is_rough in tries)

    def _measured(self) -> Measured:
        self.count += 1
        return next(self.tries)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_the_bandwidth_is_that_of_a_computer(threads: int | None) -> None:
    assert 10**8 < read_bandwidth(threads) < 10**13


def test_the_best_of_several_tries_counts_and_one_in_quiet_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = iter([Measured(4 * GB, True), Measured(9 * GB, False), Measured(7 * GB, True)])
    monkeypatch.setattr(bandwidth, "TRIES", 3)
    monkeypatch.setattr(bandwidth, "_try", lambda: next(tries))
    assert bandwidth.measured() == Measured(9 * GB, False)


def test_what_was_measured_is_kept_for_this_machine(machine: Machine, home: Path) -> None:
    machine.will_measure((9, False))
    assert of_this_machine() == 9 * GB
    bandwidth._read_last.clear()  # as another process would find it
    machine.now += 10 * 365 * 86_400
    assert (of_this_machine(), machine.count) == (9 * GB, 1)
    [(name, kept)] = json.loads((home / "bandwidth.json").read_text()).items()
    assert kept["measured"] == 9 * GB
    (home / "bandwidth.json").write_text(json.dumps({f"not {name}": kept}))
    machine.will_measure((5, False))
    assert of_this_machine() == 5 * GB


def test_a_busy_machine_is_marked_and_measured_again_when_it_is_quiet(machine: Machine) -> None:
    machine.will_measure((3, True), (2, True), (8, False))
    machine.others = 0.5
    assert (known().measured, known().is_rough, machine.count) == (3 * GB, True, 1)
    machine.now += bandwidth.AGAIN_SECONDS
    assert (known().is_rough, machine.count) == (True, 1)  # still busy
    machine.others = 0.0
    assert (known().measured, known().is_rough, machine.count) == (3 * GB, True, 2)
    assert (known().measured, machine.count) == (3 * GB, 2)  # so soon it is not tried again
    machine.now += bandwidth.AGAIN_SECONDS
    assert (known().measured, known().is_rough, machine.count) == (8 * GB, False, 3)
    machine.now += bandwidth.AGAIN_SECONDS
    assert (known().is_rough, machine.count) == (False, 3)


def test_it_is_never_below_what_a_model_here_has_reached(machine: Machine) -> None:
    machine.will_measure((3, True), (4, False))
    has_reached(5 * GB)
    assert of_this_machine() == 5 * GB
    machine.now += bandwidth.AGAIN_SECONDS
    assert of_this_machine() == 5 * GB
    assert known().measured == 4 * GB
    has_reached(1 * GB)
    assert of_this_machine() == 5 * GB


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', "\0"])
def test_a_broken_file_is_measured_anew(machine: Machine, home: Path, text: str) -> None:
    home.mkdir()
    (home / "bandwidth.json").write_text(text)
    machine.will_measure((6, False))
    assert of_this_machine() == 6 * GB


def test_where_nothing_can_be_written_it_is_measured_once_in_a_process(
    machine: Machine, home: Path
) -> None:
    home.touch()  # a file where the folder would be
    machine.will_measure((6, False))
    assert [of_this_machine(), of_this_machine()] == [6 * GB, 6 * GB]
    assert machine.count == 1
    assert settings().home == home


def test_others_are_not_this_process() -> None:
    assert 0.0 <= bandwidth.others_share(0.0) <= 1.0
