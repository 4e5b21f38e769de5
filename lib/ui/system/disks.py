"""The disks as they were seen last: pages never wait for one that hangs."""

from lib.core.settings import settings
from lib.machine import disks
from lib.machine.disks import Disk
from lib.machine.lately import Lately

FRESH_SECONDS = 15.0
FIRST_SECONDS = 0.4


def _look() -> list[Disk]:
    return disks.disks({"models": settings().models, "Berth's records": settings().home})


_DISKS = Lately(_look, FRESH_SECONDS)


def seen_disks() -> list[Disk] | None:
    """As seen lately; None while the first look takes its time."""
    return _DISKS.seen(FIRST_SECONDS)


def models_disk_bytes() -> int:
    """The size of the disk where models are kept; 0 where it is not known."""
    holding = (disk.total_bytes for disk in seen_disks() or () if "models" in disk.holds)
    return next(holding, 0)
