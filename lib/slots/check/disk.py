"""Where models, caches and programs go: is there room, and may programs run from there?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core import words
from lib.core.errors import BerthError, EngineError, NoSpace
from lib.core.files import free_bytes

CACHE_BYTES = 3 * 10**9  # what compiling leaves behind
RESERVE_BYTES = 10**9  # for everything else that has to write
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A line of /proc/mounts."""

    folder: Path
    options: frozenset[str]


class Wanted(NamedTuple):
    """Bytes that will be written below a folder, which need not exist."""

    what: str
    folder: Path
    bytes: int


def mounts(text: str) -> list[Mount]:
    """From the text of /proc/mounts, where blanks in names are octal."""
    fields = [line.split(" ") for line in text.splitlines() if line.count(" ") >= 3]
    return [Mount(Path(_plain(f[1])), frozenset(f[3].split(","))) for f in fields]


def mount_of(folder: Path, table: Sequence[Mount]) -> Mount | None:
    """The one that holds the folder: the longest, and of several at one place the last."""
    holding = [mount for mount in table if folder.is_relative_to(mount.folder)]
    return (
        max(enumerate(holding), key=lambda m: (len(m[1].folder.parts), m[0]))[1]
        if holding
        else None
    )


def noexec(folders: Sequence[Path], table: Sequence[Mount]) -> Iterator[BerthError]:
    """Programs are compiled into caches and run from there."""
    found = {mount_of(_existing(folder), table): folder for folder in reversed(folders)}
    for mount, folder in found.items():
        if mount and "noexec" in mount.options:
            yield EngineError(
                f"{folder} lies on {mount.folder}, which is mounted noexec: nothing that vLLM "
                "compiles could run there.",
                f"Run: sudo mount -o remount,exec {mount.folder}, and change /etc/fstab.",
            )


def short(wanted: Sequence[Wanted]) -> Iterator[BerthError]:
    """NoSpace for each disk that has not room for all that goes there."""
    disks: dict[int, list[Wanted]] = {}
    for one in wanted:
        if one.bytes > 0:
            disks.setdefault(_disk(one.folder), []).append(one)
    for together in disks.values():
        needed = sum(one.bytes for one in together) + RESERVE_BYTES
        free = free_bytes(together[0].folder)
        if free < needed:
            parts = ", ".join(f"{one.what} {words.disk(one.bytes)}" for one in together)
            yield NoSpace(
                f"The disk that holds {together[0].folder} is too full: {words.disk(free)} free, "
                f"{words.disk(needed)} needed ({parts}).",
                "Remove a model or free some space, then try again: what has arrived is kept.",
            )


def missing_bytes(files: Mapping[str, int], folder: Path) -> int:
    """How much of these files (bytes by path) is not there yet."""
    return sum(size for path, size in files.items() if not _is_whole(folder / path, size))


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder.resolve()


def _disk(folder: Path) -> int:
    return _existing(folder).stat().st_dev


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
