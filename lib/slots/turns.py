"""Whose turn it is: one run at a time writes to a slot, and one at a time to what slots share.

    /var/lib/berth/slots/slot-0/lock    held by the step that works on the slot
    /var/lib/berth/slots/turn           the slot whose run may write services and gateway entries
    /var/lib/berth/slots/turn.lock      held while that file is looked at

Runs may look up and download side by side. From its service to its test a run has the turn to
itself, because undoing a change to a shared file must not undo another run's too, and because two
engines that measure one card at the same time disturb each other.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.core import locks
from lib.core.errors import Conflict
from lib.engines.vllm.places import MOST_SLOTS, Places
from lib.slots.journal import Journal

LOOK_SECONDS = 1.0
LOCK_SECONDS = 30.0  # a step that was told to end has so long


@contextlib.contextmanager
def working(places: Places, slot: int) -> Iterator[None]:
    """Hold the slot; Conflict where another step still works on it."""
    folder = places.state(slot)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        give_up_at = time.monotonic() + LOCK_SECONDS
        while not locks.take(handle, folder / "lock"):
            if time.monotonic() > give_up_at:
                raise Conflict(
                    f"Another step still works on slot {slot}.",
                    "Wait until it has ended: ps ax | grep lib.slots",
                )
            time.sleep(LOOK_SECONDS)
        yield
    finally:
        locks.give_back(handle)
        os.close(handle)


def take(
    places: Places, slot: int, waiting: Callable[[int], None], broken_off: Callable[[int], None]
) -> None:
    """Return when it is the slot's turn.

    `waiting` is told the slot that has it, once; `broken_off` has to undo the change of a run that
    had it and is no more.
    """
    told = False
    while (other := _claim(places, slot)) is not None:
        if not Journal(places.state(other)).is_busy:
            broken_off(other)
            give_back(places, other)
        elif not told:
            waiting(other)
            told = True
        else:
            time.sleep(LOOK_SECONDS)


def give_back(places: Places, slot: int) -> None:
    """The slot's run is over."""
    with _board(places):
        if _holder(places) == slot:
            _file(places).unlink(missing_ok=True)


def _claim(places: Places, slot: int) -> int | None:
    """The other slot that has the turn and whose change is open; None where it is this one's."""
    with _board(places):
        holder = _holder(places)
        if holder in (None, slot) or not Journal(places.state(holder or 0)).is_open:
            _file(places).write_text(f"{slot}\n", encoding="utf-8")
            return None
        return holder


@contextlib.contextmanager
def _board(places: Places) -> Iterator[None]:
    file = _file(places)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locks.locked(file.with_name("turn.lock")):
        yield


def _holder(places: Places) -> int | None:
    try:
        text = _file(places).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) < MOST_SLOTS else None


def _file(places: Places) -> Path:
    return places.state(0).parent / "turn"
