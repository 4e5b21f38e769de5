"""A look in the background: whoever asks gets what was seen last, and hardly waits."""

import threading

import pytest

from lib.machine.lately import Lately
from tests.support.waiting import until

LONG = 30.0


class Looks:
    """Counts, and waits until it may answer; the second fails."""

    def __init__(self) -> None:
        self.count = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> int:
        self.may_answer.wait(60)
        self.count += 1
        if self.count == 2:
            raise OSError("no answer")
        return self.count


class Counted(threading.Condition):
    """Knows how long everybody was ready to wait."""

    seconds = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds += float("inf") if timeout is None else timeout
        return super().wait(timeout)


def test_a_fresh_sight_is_not_looked_for_again() -> None:
    looks = Looks()
    lately = Lately(looks, fresh_seconds=1_000)
    assert [lately.seen(LONG) for _ in range(3)] == [1, 1, 1]


def test_a_look_that_fails_leaves_what_was_seen_before(caplog: pytest.LogCaptureFixture) -> None:
    lately = Lately(Looks(), fresh_seconds=0)
    assert [lately.seen(LONG) for _ in range(3)] == [1, 1, 3]
    assert [record.message for record in caplog.records] == ["a look has failed"]


def test_an_old_sight_is_told_while_a_look_hangs_and_nobody_waits_twice() -> None:
    looks = Looks()
    lately = Lately(looks, fresh_seconds=0)
    assert lately.seen(LONG) == 1
    looks.may_answer.clear()
    waits = lately._changed = Counted()
    assert [lately.seen(patience_seconds=0.05) for _ in range(100)] == [1] * 100
    assert waits.seconds <= 0.1
    looks.may_answer.set()
    until(lambda: (lately.seen() or 0) > 2)


def test_a_first_look_that_takes_too_long_is_no_sight_yet_and_one_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = Looks()
    looks.may_answer.clear()
    lately = Lately(looks, fresh_seconds=1_000)
    assert [lately.seen(0.01) for _ in range(3)] == [None, None, None]
    looks.may_answer.set()
    until(lambda: lately.seen() == 1)
    assert looks.count == 1
    assert caplog.records == []
