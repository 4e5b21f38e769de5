"""What this machine is and how busy it has been; one sampler per server, pages only read."""

import contextlib
import logging
import platform
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import Field

from lib.core.files import free_bytes
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.machine import processor
from lib.machine.cards import Cards, cards
from lib.machine.disks import DiskTraffic
from lib.machine.lately import Lately
from lib.machine.network import Rates, Traffic

INTERVAL_SECONDS = 2.0
KEPT_SECONDS = 3_600.0
STALE_SECONDS = 15.0  # a look takes a moment on a busy machine
PATIENCE_SECONDS = 1.0  # so long a look waits for cards and disk; either can hang
ROOM_SECONDS = 3.0  # so old what is said of the disk's room may be; a network folder can hang

_log = logging.getLogger(__name__)
ZFS_CACHE = Path("/proc/spl/kstat/zfs/arcstats")
_ARC = re.compile(r"^(size|c_min)\s+\d+\s+(\d{1,20})$", re.MULTILINE)
_DROPPABLE = re.compile(r"^inactive_file ([0-9]+)$", re.MULTILINE)


class Machine(Frozen):
    """What does not change while the server runs."""

    os: str
    cpu: str
    cores: int  # physical
    threads: int  # what the system can run at once
    memory_bytes: int
    instructions: tuple[str, ...] = ()  # that matter to llama.cpp, as people call them


class CardUse(NamedTuple):
    """How busy and how full one graphics card was; None where it did not tell."""

    key: str  # `Card.key`
    percent: float | None
    used_bytes: int | None


class Sample(Frozen):
    """One look at the machine."""

    at: float  # epoch seconds
    cpu_percent: float  # of all cores, since the sample before
    memory_used_bytes: int
    memory_available_bytes: int  # what a new process could get without swapping
    disk_free_bytes: int  # where models are kept
    received_bytes_per_second: float
    sent_bytes_per_second: float
    # Of all disks; None where the system does not count, and in what was kept before it was asked.
    read_bytes_per_second: float | None = None
    written_bytes_per_second: float | None = None
    swap_used_bytes: int | None = None
    # Those that answered at that moment; whoever wants all that is known of them asks `cards()`.
    cards: tuple[CardUse, ...] = Field(default=(), exclude=True)


@cache
def machine() -> Machine:
    """The facts, looked up once."""
    threads = psutil.cpu_count() or 1
    return Machine(
        os=_os_name(),
        cpu=processor.name(),
        instructions=processor.instructions(),
        cores=psutil.cpu_count(logical=False) or threads,
        threads=threads,
        memory_bytes=min(psutil.virtual_memory().total, limit_bytes(_cgroup()) or sys.maxsize),
    )


def memory_available_bytes() -> int:
    """Memory that a new process could get now without swapping, a container's limit included.

    What ZFS keeps of files counts: it gives that back when others want it, though the kernel does
    not call it available.
    """
    memory, room = psutil.virtual_memory(), room_bytes(_cgroup())
    available = min(memory.available + cached_by_zfs_bytes(ZFS_CACHE), memory.total)
    return available if room is None else min(available, room)


def cached_by_zfs_bytes(arcstats: Path) -> int:
    """What ZFS would give back of its cache: all above the least it keeps; 0 without ZFS."""
    told = {name: int(number) for name, number in _ARC.findall(_text(arcstats))}
    return max(0, told.get("size", 0) - told.get("c_min", 0))


def card_use(seen: Cards) -> tuple[CardUse, ...]:
    """What is remembered of a look at the cards; nothing where they did not answer."""
    if seen.problem:
        return ()
    return tuple(
        CardUse(sys.intern(card.key), card.utilization_percent, card.used_bytes)
        for card in seen.cards
        if not card.problem
    )


def limit_bytes(cgroup: Path) -> int | None:
    """The memory limit of the container or service this runs in (cgroup v2), if it has one."""
    return _number(_text(cgroup / "memory.max"))


def room_bytes(cgroup: Path) -> int | None:
    """What is left below that limit; file pages that can simply be dropped are not in the way."""
    limit = limit_bytes(cgroup)
    if limit is None:
        return None
    held = _number(_text(cgroup / "memory.current")) or 0
    droppable = _DROPPABLE.search(_text(cgroup / "memory.stat"))
    return max(0, limit - held + (int(droppable[1]) if droppable else 0))


def _free_for_models() -> int:
    """Bytes; none where the disk of the models is not connected."""
    now = settings()
    return 0 if now.models in now.gone_roots else free_bytes(now.models)


class Sampler:
    """Looks at the machine every few seconds and remembers the last hour."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.interval_seconds = interval_seconds
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_SECONDS / interval_seconds))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._keep: Callable[[Sample], None] | None = None
        self._past: tuple[Sample, ...] = ()
        self._network, self._disk = Traffic(), DiskTraffic()
        self._room = Lately(_free_for_models, ROOM_SECONDS)
        self._cards: Cards | None = None
        self._is_well = True
        self._looked = time.monotonic()

    def start(
        self, keep: Callable[[Sample], None] | None = None, past: Sequence[Sample] = ()
    ) -> None:
        """Begin to look, and give each look to `keep`; harmless when it already does.

        `past` is what was kept of the hour before.
        """
        if self._thread is None:
            self._keep, self._past = keep, tuple(past)
            self._stop.clear()
            self._looked = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it and wait for its thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def samples(self) -> list[Sample]:
        """The last hour, oldest first; empty where no server runs."""
        return [*self._past, *self._samples]

    def traffic(self) -> Mapping[str, Rates]:
        """What passes through each network interface, as seen last."""
        return self._network.rates

    def latest(self) -> Sample:
        """The newest sample, or one taken now where there is none."""
        return self._samples[-1] if self._samples else self._look()

    @property
    def is_looking(self) -> bool:
        """Does it, as it does where a server runs?"""
        return self._thread is not None

    def silent_seconds(self) -> float:
        """For how long no look has succeeded; 0 where they do, and where no server runs."""
        seconds = time.monotonic() - self._looked
        return seconds if self._thread and seconds > STALE_SECONDS else 0.0

    def cards(self) -> Cards:
        """The graphics cards as seen last, or as they are now where no server runs.

        At once or within a second, whatever their driver does: meant for pages and routes.
        """
        return self._cards or cards(PATIENCE_SECONDS)

    def _run(self) -> None:
        self._try()  # the first CPU figure and the first rates have nothing to compare with
        while not self._stop.wait(self.interval_seconds):
            if (sample := self._try()) is not None:
                self._samples.append(sample)
                if self._keep:
                    self._keep(sample)

    def _try(self) -> Sample | None:
        """A look; None where it fails, which must not end the looking."""
        try:
            self._cards = cards(PATIENCE_SECONDS)
            sample = self._look()
        except Exception:
            if self._is_well:  # one that goes on failing is told of once
                _log.exception("The machine could not be looked at")
            self._is_well = False
            return None
        self._is_well, self._looked = True, time.monotonic()
        return sample

    def _look(self) -> Sample:
        received, sent = self._rates()
        read, written = self._disk.look()
        available = memory_available_bytes()
        return Sample(
            at=time.time(),
            cpu_percent=psutil.cpu_percent(),
            memory_used_bytes=max(0, machine().memory_bytes - available),
            memory_available_bytes=available,
            disk_free_bytes=self._room.seen(PATIENCE_SECONDS) or 0,
            received_bytes_per_second=received,
            sent_bytes_per_second=sent,
            read_bytes_per_second=read,
            written_bytes_per_second=written,
            swap_used_bytes=_swap_used(),
            cards=card_use(self.cards()),
        )

    def _rates(self) -> Rates:
        return self._network.look()


SAMPLER = Sampler()


def swap_bytes() -> int:
    """How much swap there is; 0 for none, and where the system does not tell."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        return int(psutil.swap_memory().total)
    return 0


def _swap_used() -> int | None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        return int(psutil.swap_memory().used)
    return None


def _os_name() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _cgroup() -> Path:
    own = _text(Path("/proc/self/cgroup")).strip().rpartition("::")[2]
    return Path("/sys/fs/cgroup") / own.lstrip("/")


def _number(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
