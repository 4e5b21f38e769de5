"""Waiting for what another process does, and looking at what it left behind."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

SECONDS = 30.0

Sight = TypeVar("Sight")


def until(
    look: Callable[[], Sight], what: str = "what was expected", seconds: float = SECONDS
) -> Sight:
    """What `look` sees, as soon as it sees anything; `what` is said where it sees nothing."""
    deadline = time.monotonic() + seconds
    while not (sight := look()):
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.02)
    return sight


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it is so before this time has passed."""
    give_up_at = time.monotonic() + seconds
    while not is_so() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return is_so()


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        try:
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_alive and os.getpgid(process.pid) == group:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found
