"""Programs by the memory that they hold, as a person would know them."""

from collections import Counter
from collections.abc import Collection
from pathlib import PurePath

import psutil

from lib.core.values import Frozen


class Holder(Frozen):
    """A program, all its processes together; some may be ours and others not."""

    name: str
    bytes: int  # resident; pages that its processes share count for each
    is_ours: bool = False


def holders(ours: Collection[int]) -> list[Holder]:
    """Those that hold most first, `ours` by their pids; looks at every process, some 50 ms."""
    held: Counter[tuple[str, bool]] = Counter()
    for process in psutil.process_iter(["pid", "name", "memory_info"]):
        told = process.info
        if told["memory_info"]:
            name = PurePath(told["name"] or "?").name
            held[name, told["pid"] in ours] += told["memory_info"].rss
    return [
        Holder(name=name, bytes=size, is_ours=is_ours)
        for (name, is_ours), size in held.most_common()
    ]
