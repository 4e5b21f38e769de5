"""The disks of this machine: each that holds files, with what of Berth's lies there.

A network folder whose server is gone answers no question, and whoever asks hangs with it. So each
is asked in a thread of its own; one that hangs is told as such, and not asked again before it ends.
"""

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from lib.core.settings import settings
from lib.core.values import Frozen
from lib.machine.lately import Lately

ANSWER_SECONDS = 1.0
FRESH_SECONDS, FIRST_SECONDS = 15.0, 0.4
MODELS = "models"
LEAST_BYTES = 2 * 10**9  # a smaller one without anything of Berth's is a boot loader's, say
MOST = 12
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "ceph", "glusterfs"})
OTHERS = frozenset(
    {"virtiofs", "9p", "zfs", "overlay", "lustre", "beegfs", "gpfs"}
)  # "nodev" to Linux
_FUSE = re.compile(r"fuse\.(?!(?:portal|gvfsd-fuse|lxcfs|snapfuse)$)|fuseblk$|macfuse$")
_NOT_FOR_FILES = frozenset({"squashfs", "iso9660", "udf", "erofs", "devfs", "autofs"})
_SYSTEMS_OWN = re.compile(
    r"/(boot|snap|System/Volumes|private/var/vm|var/lib/docker|run(?!/media/))(/|$)"
)


class Mount(NamedTuple):
    """A place where a disk's files are found."""

    path: str
    device: str
    kind: str  # of its file system
    is_for_files: bool = True


class Disk(Frozen):
    """A mount with its room; both are 0 where it does not answer."""

    path: str
    kind: str
    holds: tuple[str, ...] = ()  # which of Berth's places lie there
    total_bytes: int = 0
    free_bytes: int = 0  # for whoever is not root
    is_silent: bool = False

    @property
    def is_remote(self) -> bool:
        """Do its files lie on another machine?"""
        return self.kind in NETWORK or self.kind == "fuse.sshfs"


_asked: dict[str, "_Question"] = {}  # by path, those that have not been answered


class _Question(threading.Thread):
    """How much room there is at a place, and what its real path is."""

    def __init__(self, path: str) -> None:
        super().__init__(name="disk", daemon=True)
        self.path = path
        self.real = path
        self.total_bytes = self.free_bytes = 0

    def run(self) -> None:
        """May take for ever."""
        with contextlib.suppress(OSError):
            there = next(p for p in (Path(self.path), *Path(self.path).parents) if p.is_dir())
            self.real = os.path.realpath(there)
            if str(there) == self.path:
                room = shutil.disk_usage(there)
                self.total_bytes, self.free_bytes = room.total, room.free


class DiskTraffic:
    """Counts what is read and written on all disks together, from look to look."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._before: tuple[int, int] | None = None

    def look(self) -> tuple[float | None, float | None]:
        """Bytes a second since the look before; None where nobody counts, or nothing was before."""
        told, now = _counted(), time.monotonic()
        before, seconds = self._before, max(now - self._at, 1e-3)
        self._at, self._before = now, told
        if told is None or before is None:
            return None, None
        read, written = (max(0, n - old) / seconds for old, n in zip(before, told, strict=True))
        return read, written


def _counted() -> tuple[int, int] | None:
    """Bytes read and written since the machine was started."""
    with contextlib.suppress(OSError, NotImplementedError, RuntimeError, ValueError):
        if counters := psutil.disk_io_counters():
            return counters.read_bytes, counters.write_bytes
    return None


def disks(places: Mapping[str, Path]) -> list[Disk]:
    """Those that hold Berth's places (by what they are called), then the others by their path.

    Within two seconds, whatever hangs.
    """
    there = mounts()
    holds = _by_mount(places, there)
    chosen = told(there, holds)
    asked = _answered([mount.path for mount in chosen])
    found = [_disk(m, holds.get(m.path, []), asked[m.path]) for m in chosen]
    worth = [disk for disk in found if disk.holds or disk.is_silent or _is_large(disk)]
    return sorted(worth, key=lambda disk: (not disk.holds, disk.path))[:MOST]


def _look() -> list[Disk]:
    now = settings()
    places = {MODELS: now.models, "Berth's records": now.home}
    return disks({role: place for role, place in places.items() if place not in now.gone_roots})


_SEEN = Lately(_look, FRESH_SECONDS)


def seen() -> list[Disk] | None:
    """Those of this machine as they were lately; None while the first look takes its time."""
    return _SEEN.seen(FIRST_SECONDS)


def models_disk_bytes() -> int:
    """The size of the disk where models are kept; 0 where it is not known."""
    return next((disk.total_bytes for disk in seen() or () if MODELS in disk.holds), 0)


def mounts() -> list[Mount]:
    """All of them, as the system lists them; what was mounted over another comes later."""
    of_devices = {part.mountpoint for part in psutil.disk_partitions(all=False)}
    return [
        Mount(
            part.mountpoint,
            part.device,
            part.fstype,
            is_for_files(part.fstype, part.mountpoint, part.mountpoint in of_devices),
        )
        for part in psutil.disk_partitions(all=True)
    ]


def told(there: Sequence[Mount], holds: Mapping[str, object]) -> list[Mount]:
    """Each device once: where something of Berth's lies, else at its shortest path."""
    chosen: dict[str, Mount] = {}
    for mount in sorted(there, key=lambda m: (m.path not in holds, _is_odd(m), len(m.path), m)):
        if mount.path in holds or mount.is_for_files:
            chosen.setdefault(mount.device if "/" in mount.device else mount.path, mount)
    return list(chosen.values())


def holding(path: str, there: Sequence[Mount]) -> Mount | None:
    """The mount that this path lies in; of several at one place the last."""
    above = [mount for mount in reversed(there) if _is_in(path, mount.path)]
    return max(above, key=lambda mount: len(mount.path), default=None)


def is_for_files(kind: str, path: str, has_device: bool) -> bool:
    """Does somebody keep files there, rather than the system its own?"""
    if kind in _NOT_FOR_FILES or _SYSTEMS_OWN.match(path):
        return False
    if kind == "overlay":  # those of containers, but for the one that this runs in
        return path == "/"
    return has_device or kind in NETWORK or kind in OTHERS or bool(_FUSE.match(kind))


def _by_mount(places: Mapping[str, Path], there: Sequence[Mount]) -> dict[str, list[str]]:
    """What lies where, by the path of the mount; two of one device are told as the first."""
    asked = _answered([str(folder) for folder in places.values()])
    holds: dict[str, list[str]] = {}
    of_device: dict[str, str] = {}
    for name, folder in places.items():
        if mount := holding(asked[str(folder)].real, there):
            path = of_device.setdefault(mount.device, mount.path)
            holds.setdefault(path, []).append(name)
    return holds


def _answered(paths: Sequence[str]) -> dict[str, _Question]:
    """All are asked at once and waited for together; one that hangs is not asked a second time."""
    ends = time.monotonic() + ANSWER_SECONDS
    questions = {path: _asked.get(path) or _begun(path) for path in paths}
    for path, question in questions.items():
        question.join(max(0.0, ends - time.monotonic()))
        if not question.is_alive():
            _asked.pop(path, None)
    return questions


def _begun(path: str) -> _Question:
    question = _asked[path] = _Question(path)
    question.start()
    return question


def _disk(mount: Mount, holds: Sequence[str], answer: _Question) -> Disk:
    is_silent = answer.is_alive()
    return Disk(
        path=mount.path,
        kind=mount.kind,
        holds=tuple(holds),
        total_bytes=0 if is_silent else answer.total_bytes,
        free_bytes=0 if is_silent else answer.free_bytes,
        is_silent=is_silent,
    )


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_odd(mount: Mount) -> bool:
    """A single file that a container has from outside."""
    return mount.path.startswith("/etc/")


def _is_large(disk: Disk) -> bool:
    return disk.total_bytes >= LEAST_BYTES
