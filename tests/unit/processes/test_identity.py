"""A process is known by its pid and its birth, whatever the clock says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lib.processes import background as process
from lib.processes.birth import born
from lib.processes.identity import command_line, created_at, is_same, living
from tests.support.waiting import until

GONE = 2**22 + 1  # beyond the largest pid of Linux


@pytest.fixture
def other() -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "a (b) c"], stdin=subprocess.PIPE
    ) as it:
        yield psutil.Process(it.pid)
        it.kill()


def test_a_birth_is_told_again_and_is_nobody_elses(other: psutil.Process) -> None:
    assert born(other.pid) == born(other.pid)
    assert len({born(other.pid), born(os.getpid())}) == 2
    assert born(GONE) == ""


def test_a_step_of_the_clock_changes_nothing(other: psutil.Process) -> None:
    birth, noted = born(other.pid), created_at(other.pid)
    for step in (-3_600, 3, 3_600):
        assert is_same(other, birth, noted + step, 2)


def test_another_boot_or_another_beginning_is_another_process(other: psutil.Process) -> None:
    boot, _, ticks = born(other.pid).partition(" ")
    noted = created_at(other.pid)
    assert not is_same(other, f"{boot} {int(ticks) + 1}", noted, 2)
    assert not is_same(other, f"00000000-0000-0000-0000-000000000000 {ticks}", noted, 2)


def test_without_a_birth_the_create_time_counts(other: psutil.Process) -> None:
    noted = created_at(other.pid)
    assert is_same(other, "", noted + 1, 2)
    assert not is_same(other, "", noted + 3, 2)


def test_the_command_line_of_what_is_gone_is_empty(other: psutil.Process) -> None:
    until(lambda: bool(command_line(other.pid)))  # it is just being made
    assert command_line(other.pid)[-1] == "a (b) c"
    assert command_line(GONE) == []
    other.kill()
    until(lambda: living(other.pid) is None)
    assert command_line(other.pid) == []


def test_where_no_birth_is_told_a_process_that_came_later_is_not_the_noted_one(
    other: psutil.Process, tmp_path: Path
) -> None:
    note = tmp_path / "m.pid"
    note.write_text(f"{other.pid} \n")
    found = process.noted(tmp_path / "m.exit")
    assert found
    assert found.pid == other.pid
    os.utime(note, (created_at(other.pid) - 60,) * 2)
    assert process.noted(tmp_path / "m.exit") is None
