"""Programs that hold much of the machine's memory, as a person would know them."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import PurePath

import psutil

from lib.core.values import Frozen

LEAST_BYTES = 2**29
MOST = 3


class Holder(Frozen):
    """A program, all its processes together."""

    name: str
    bytes: int  # resident; pages that its processes share count for each


def largest_holders(but: Collection[int], least_bytes: int = LEAST_BYTES) -> list[Holder]:
    """Those that hold most, without this process and these pids; takes some 50 ms."""
    held: Counter[str] = Counter()
    for process in psutil.process_iter(["pid", "name", "memory_info"]):
        told = process.info["memory_info"]
        if told and process.info["pid"] not in (os.getpid(), *but):
            held[PurePath(process.info["name"] or "?").name] += told.rss
    found = [Holder(name=name, bytes=size) for name, size in held.most_common(MOST)]
    return [holder for holder in found if holder.bytes >= least_bytes]
