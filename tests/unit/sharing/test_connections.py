"""Places at a listener: how many there are, and who has to go when all are taken."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from lib.machine import open_files
from lib.sharing import connections
from lib.sharing.connections import Door, Places


class _Transport:
    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class _One:
    """A connection from an address, as far as the door knows it."""

    def __init__(self, address: str = "a") -> None:
        self.address, self.transport = address, _Transport()


def entered(door: Door, address: str = "a", *, is_waiting: bool = True) -> tuple[Any, bool]:
    one = cast("Any", _One(address))
    may = door.enter(one)
    if may and is_waiting:
        door.waits(one, True)
    return one, may


def test_one_address_has_so_many_places() -> None:
    door = Door(Places(each=2, all=10))
    assert [entered(door)[1] for _ in range(3)] == [True, True, False]
    assert entered(door, "b")[1]


def test_a_place_that_was_given_back_can_be_taken() -> None:
    door = Door(Places(each=2, all=10))
    for _ in range(5):
        assert entered(door)[1]
        door.leave("a")


def test_who_has_waited_longest_without_a_request_goes_first() -> None:
    door = Door(Places(each=3, all=3))
    busy, _ = entered(door, is_waiting=False)
    first, second = entered(door)[0], entered(door)[0]
    assert entered(door)[1]
    assert [one.transport.is_aborted for one in (busy, first, second)] == [False, True, False]


def test_who_has_said_something_again_has_not_waited_longest() -> None:
    door = Door(Places(each=2, all=2))
    first, second = entered(door)[0], entered(door)[0]
    door.waits(first, False)
    door.waits(first, True)
    assert entered(door)[1]
    assert second.transport.is_aborted and not first.transport.is_aborted


def test_where_all_are_busy_there_is_no_place() -> None:
    door = Door(Places(each=2, all=2))
    for _ in range(2):
        entered(door, is_waiting=False)
    assert not entered(door)[1]


@pytest.mark.parametrize(
    ("files", "each", "all_"),
    [(65_536, 64, 512), (4_096, 64, 512), (1_024, 64, 192), (256, 16, 16), (64, 16, 16)],
)
def test_guests_get_no_more_places_than_leave_files_for_the_owner(
    monkeypatch: pytest.MonkeyPatch, files: int, each: int, all_: int
) -> None:
    monkeypatch.setattr(open_files, "limit", _always(files))
    assert connections.guests_places() == (each, all_)


@pytest.mark.parametrize(("files", "most"), [(65_536, 32_640), (1_024, 384), (256, 128)])
def test_everybody_on_this_machine_has_one_address_and_all_places(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    monkeypatch.setattr(open_files, "limit", _always(files))
    assert connections.owners_places() == (most, most)


def _always(number: int) -> Callable[[], int]:
    return lambda: number
