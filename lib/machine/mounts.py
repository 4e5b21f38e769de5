"""What kind of file system a folder is on."""

from pathlib import Path

import psutil

IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})


def filesystem_of(folder: Path) -> str:
    """As the system calls it; "" where nobody tells."""
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    here = folder.resolve()
    return next((mounts[str(p)] for p in (here, *here.parents) if str(p) in mounts), "")
