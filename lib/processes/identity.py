"""Which process a pid stands for: it may belong to another one since.

A process is known by its pid together with its create time.
"""

import contextlib

import psutil


def living(pid: int) -> psutil.Process | None:
    """The process that has this pid now; None where there is none, or only what is left of one."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def is_same(process: psutil.Process, created_at: float, within_seconds: float) -> bool:
    """Was this process created then (epoch seconds), as far as clocks can tell?"""
    with contextlib.suppress(psutil.Error):
        return abs(process.create_time() - created_at) < within_seconds
    return False


def created_at(pid: int) -> float:
    """When the process was created, in epoch seconds; 0 where it has ended already."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return 0.0
