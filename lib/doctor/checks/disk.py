"""Disks that are nearly full, and what could go."""

import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil

from lib.core import words
from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.left_behind import partials
from lib.engines.llamacpp import files, records

NAME = "disk"
LITTLE_BYTES, VERY_LITTLE_BYTES = 10 * 10**9, 2 * 10**9
LITTLE = 0.10  # of a small disk
TMP_BYTES = 10**9  # nothing large is ever put there


class Disk(NamedTuple):
    """One disk, by what Berth has on it."""

    path: str
    role: str  # for people: what is on it
    total_bytes: int
    free_bytes: int


class Facts(NamedTuple):
    """The disks, and what Berth could give back."""

    disks: tuple[Disk, ...] = ()
    idle_bytes: int = 0  # of models that do not run
    partial_bytes: int = 0  # of downloads that were broken off


def gathered() -> Facts:
    """Of several folders on one disk the first stands for it."""
    places = {
        "Berth's models": settings().models,
        "Berth's records": settings().home,
        "the models of before": settings().model_roots[-1],
        "temporary files": Path(tempfile.gettempdir()),
    }
    disks: dict[int, Disk] = {}
    gone = settings().gone_roots  # model_folders.py tells of them
    for role, folder in ((role, place) for role, place in places.items() if place not in gone):
        there = _nearest(folder)
        use = psutil.disk_usage(str(there))
        disks.setdefault(there.stat().st_dev, Disk(str(folder), role, use.total, use.free))
    return Facts(tuple(disks.values()), _idle_bytes(), sum(one.bytes for one in partials()))


def _nearest(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _idle_bytes() -> int:
    running = {record.model for record in records.read_all() if record.is_alive}
    gone = settings().gone_roots
    here = (file for file in files.all_files() if not file.stays_at and file.folder not in gone)
    return sum(file.size_bytes for file in here if file.name not in running)


def judged(facts: Facts) -> list[Finding]:
    """One finding per disk."""
    return [_finding(disk, facts) for disk in facts.disks if disk.free_bytes < _wanted(disk)]


def _wanted(disk: Disk) -> int:
    if disk.role == "temporary files":
        return min(TMP_BYTES, int(disk.total_bytes * LITTLE))
    return min(LITTLE_BYTES, int(disk.total_bytes * LITTLE))


def _finding(disk: Disk, facts: Facts) -> Finding:
    is_urgent = disk.free_bytes < min(VERY_LITTLE_BYTES, _wanted(disk) // 4)
    return Finding(
        id=f"{NAME}:{disk.path}",
        severity=Severity.URGENT if is_urgent else Severity.WARNING,
        title=f"The disk with {disk.role} is nearly full: {words.disk(disk.free_bytes)} of "
        f"{words.disk(disk.total_bytes)} are free.",
        wanted=f"At least {words.disk(_wanted(disk))} free.",
        why="Downloads stop, and on a full disk replies and settings are not kept.",
        fix=_fix(disk, facts),
        facts=(str(is_urgent),),
    )


def _fix(disk: Disk, facts: Facts) -> Fix:
    could = {
        "models that do not run": facts.idle_bytes,
        "downloads that were broken off": facts.partial_bytes,
    }
    told = ", ".join(f"{words.disk(size)} in {what}" for what, size in could.items() if size)
    if told and disk.role != "temporary files":
        return Fix(label=f"See what could go: {told}", page="Models")
    return Fix(label="What fills it", command=f"du -xk {shlex.quote(disk.path)} | sort -n")


CHECK = Check(NAME, gathered, judged)
