"""Waiting for slow work while a page is drawn."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.core.errors import NotFound
from lib.ui.waiting import forget, interruptible
from tests.support.waiting import until


def test_what_is_under_way_is_not_begun_again() -> None:
    begun: list[int] = []
    may_end = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        may_end.wait(10)
        return number * 2

    with ThreadPoolExecutor(3) as pages:
        waiting = [pages.submit(interruptible, work, number) for number in (1, 1, 2)]
        until(lambda: sorted(set(begun)) == [1, 2])
        may_end.wait(0.5)  # for the other page to come to the same work
        may_end.set()
        assert [page.result() for page in waiting] == [2, 2, 4]
    assert sorted(begun) == [1, 2]
    assert interruptible(work, 1) == 2
    assert sorted(begun) == [1, 1, 2]


def test_what_goes_wrong_is_raised_where_it_is_waited_for() -> None:
    def work() -> None:
        raise NotFound("It is gone.", "Look elsewhere.")

    with pytest.raises(NotFound, match="It is gone"):
        interruptible(work)
    with pytest.raises(NotFound):
        interruptible(work)


def test_what_was_forgotten_is_begun_again() -> None:
    begun: list[int] = []
    may_end = threading.Event()

    def work() -> int:
        begun.append(1)
        number = len(begun)
        may_end.wait(10)
        return number

    with ThreadPoolExecutor(2) as pages:
        first = pages.submit(interruptible, work)
        until(lambda: len(begun) == 1)
        forget()
        second = pages.submit(interruptible, work)
        until(lambda: len(begun) == 2)
        may_end.set()
        assert [first.result(), second.result()] == [1, 2]
