"""How fast this machine reads its memory: what limits the writing speed of a larger model.

It is measured once for each machine, and kept in BERTH_HOME. Other programs make a measurement
slower and never faster: one that was made while they were busy is marked, and made again when they
are quiet. What a model here has reached counts too: that much the memory can do.
"""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from pydantic import TypeAdapter, ValidationError

from lib.core.files import write_text
from lib.core.settings import settings
from lib.core.values import Frozen

SAMPLE_BYTES = 96 * 2**20  # more than most caches hold; given back at once
TRIES, TRY_SECONDS = 3, 0.15
BUSY_SHARE = 0.1  # of the processors, taken by others: more makes the figure too small
AGAIN_SECONDS = 60.0  # until it is looked whether the machine is quiet by now
LOOK_SECONDS = 0.1


class Known(Frozen):
    """What is known of a machine, in bytes a second."""

    measured: float = 0.0  # the best of all tries
    is_rough: bool = True  # other programs were busy each time
    at: float = 0.0  # epoch seconds of the last try
    written: float = 0.0  # by a model of the built-in engine that wrote

    @property
    def best(self) -> float:
        """The most that has been seen."""
        return max(self.measured, self.written)


class Measured(NamedTuple):
    """Bytes a second, and whether others were busy meanwhile."""

    best: float
    is_rough: bool


_KEPT = TypeAdapter(dict[str, Known])
_lock = threading.RLock()
_looking = threading.Event()
_read_last: dict[Path, tuple[tuple[int, int], dict[str, Known]]] = {}
_unwritten: dict[Path, dict[str, Known]] = {}  # where BERTH_HOME cannot be written


def of_this_machine() -> float:
    """Bytes a second, the most that is known of; measured where nothing is known yet."""
    return known().best


def known() -> Known:
    """All that is known of this machine, after another try where that is worth one."""
    with _lock:
        kept = _kept().get(_machine(), Known())
        if not _is_worth_a_try(kept):
            return kept
        now = measured()
        better = Known(
            measured=max(kept.measured, now.best),
            is_rough=kept.is_rough and now.is_rough,
            at=time.time(),
            written=kept.written,
        )
        _keep(better)
        return better


def told() -> Known:
    """The same as far as it is known by now; nothing is measured."""
    return _kept().get(_machine(), Known())


def look_soon() -> None:
    """Measure in the background where nothing is known yet; once, and nobody waits for it."""
    if not told().measured and not _looking.is_set():
        _looking.set()
        threading.Thread(target=known, name="bandwidth", daemon=True).start()


def has_reached(bytes_per_second: float) -> None:
    """A model has read its weights so fast: the machine can do no less."""
    with _lock:
        kept = _kept().get(_machine(), Known())
        if bytes_per_second > kept.best:
            _keep(kept.model_copy(update={"written": bytes_per_second}))


def measured() -> Measured:
    """The best of some tries; rough where other programs were busy in every one of them."""
    tries = [_try() for _ in range(TRIES)]
    return Measured(max(one.best for one in tries), all(one.is_rough for one in tries))


def read_bandwidth(threads: int | None = None) -> float:
    """Bytes a second, read by so many threads (default: all processors); the best of some rounds.

    Other programs only ever make it slower, so the best round says most about the machine.
    """
    count = threads or os.cpu_count() or 1
    sample = np.ones(SAMPLE_BYTES // 8, dtype=np.int64)
    pieces = np.array_split(sample, count)
    best = 0.0
    ends = time.perf_counter() + TRY_SECONDS
    with ThreadPoolExecutor(count) as pool:
        while not best or time.perf_counter() < ends:
            began = time.perf_counter()
            list(pool.map(np.sum, pieces))  # numpy lets other threads run while it adds
            best = max(best, SAMPLE_BYTES / (time.perf_counter() - began))
    return best


def _is_worth_a_try(kept: Known) -> bool:
    """Where nothing was measured; where it was rough, some time ago, and the machine is quiet."""
    if not kept.measured:
        return True
    is_due = not 0 <= time.time() - kept.at < AGAIN_SECONDS
    return kept.is_rough and is_due and others_share(LOOK_SECONDS) < BUSY_SHARE


def others_share(seconds: float) -> float:
    """What other programs took of all processors in this time, 0 to 1."""
    with _watched() as shares:
        time.sleep(seconds)
    return shares[0]


def _try() -> Measured:
    with _watched() as shares:
        best = read_bandwidth()
    return Measured(best, shares[0] >= BUSY_SHARE)


@contextlib.contextmanager
def _watched() -> Iterator[list[float]]:
    """The list has one number at the end: what others took of the processors meanwhile."""
    began, before, own, shares = time.monotonic(), psutil.cpu_times(), _own_seconds(), [0.0]
    yield shares
    whole = max(time.monotonic() - began, 1e-6) * (psutil.cpu_count() or 1)
    idle = _idle_seconds(psutil.cpu_times()) - _idle_seconds(before)
    shares[0] = max(0.0, 1 - (idle + _own_seconds() - own) / whole)


def _idle_seconds(times: tuple[float, ...]) -> float:
    """Waiting for a disk is not being busy, where the system tells that apart."""
    return float(getattr(times, "idle", 0.0) + getattr(times, "iowait", 0.0))


def _own_seconds() -> float:
    return time.process_time()


def _machine() -> str:
    """What one machine is told from another by that shares its BERTH_HOME."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()}"


def _file() -> Path:
    return settings().home / "bandwidth.json"


def _kept() -> dict[str, Known]:
    """By machine; read again only where the file is another."""
    path = _file()
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        if _read_last.get(path, (None,))[0] != stamp:
            _read_last[path] = (stamp, _KEPT.validate_json(path.read_bytes()))
        return _read_last[path][1]
    except (OSError, ValidationError):
        return _unwritten.get(path, {})


def _keep(one: Known) -> None:
    path, machines = _file(), {**_kept(), _machine(): one}
    try:
        write_text(path, _KEPT.dump_json(machines, indent=1).decode() + "\n")
        _unwritten.pop(path, None)
    except OSError:
        _unwritten[path] = machines
