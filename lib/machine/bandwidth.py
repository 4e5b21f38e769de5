"""How fast this machine reads its memory: what limits the writing speed of a larger model."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

SAMPLE_BYTES = 96 * 2**20  # more than most caches hold; given back at once
MEASURE_SECONDS = 0.4


def read_bandwidth(threads: int | None = None) -> float:
    """Bytes a second, read by so many threads (default: all processors); the best of some rounds.

    Other programs only ever make it slower, so the best round says most about the machine.
    """
    count = threads or os.cpu_count() or 1
    sample = np.ones(SAMPLE_BYTES // 8, dtype=np.int64)
    pieces = np.array_split(sample, count)
    best = 0.0
    ends = time.perf_counter() + MEASURE_SECONDS
    with ThreadPoolExecutor(count) as pool:
        while not best or time.perf_counter() < ends:
            began = time.perf_counter()
            list(pool.map(np.sum, pieces))  # numpy lets other threads run while it adds
            best = max(best, SAMPLE_BYTES / (time.perf_counter() - began))
    return best


@cache
def of_this_machine() -> float:
    """Bytes a second, measured once in a process."""
    return read_bandwidth()
