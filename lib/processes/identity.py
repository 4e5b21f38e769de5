"""Which process a pid stands for: it may belong to another one since.

A process is known by its pid together with its birth (birth.py), which no clock moves. Where the
system tells none, and in records of before, its create time in epoch seconds takes the place.
"""

import contextlib
import sys

import psutil

from lib.processes.birth import born


def living(pid: int) -> psutil.Process | None:
    """The process that has this pid now; None where there is none, or only what is left of one."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def is_same(process: psutil.Process, birth: str, created_at: float, within_seconds: float) -> bool:
    """Was this process born then? `created_at` (epoch seconds) counts where `birth` is ""."""
    if birth and (now := born(process.pid)):
        return now == birth
    with contextlib.suppress(psutil.Error):
        return abs(_created(process) - created_at) < within_seconds
    return False


def created_at(pid: int) -> float:
    """When the process was created, in epoch seconds; 0 where it has ended already."""
    with contextlib.suppress(psutil.Error):
        return _created(psutil.Process(pid))
    return 0.0


def command_line(pid: int) -> list[str]:
    """The words that the living process was started with; none where it is gone or another's."""
    process = living(pid)
    with contextlib.suppress(psutil.Error):
        return process.cmdline() if process else []
    return []


def _created(process: psutil.Process) -> float:
    """As the system noted it. On macOS psutil would move it with every step of the clock."""
    if sys.platform == "darwin":
        return float(process._proc.create_time(monotonic=True))
    return process.create_time()
