"""Links on the disk, followed one by one: names and neighbours are those of each place on the way.

The Hub's own tool keeps files under their checksums and gives them names by links, so what a link
points to in the end has neither a name nor neighbours.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import BadInput
from lib.core.names import shown

MOST_HOPS = 40  # as Linux itself allows
MOST_FOLDERS, WALK_SECONDS = 5_000, 5.0


def is_folder(path: Path) -> bool:
    """Is it one? No where the system does not let us look, or the path can be none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path's own raises for some


def is_file(path: Path) -> bool:
    """The same for a file."""
    return os.path.isfile(path)  # noqa: PTH113 - likewise


def hops(path: Path) -> Iterator[Path]:
    """The path, and where it leads: each link's own target, not what lies behind that."""
    here = path.absolute()
    for _ in range(MOST_HOPS):
        yield here
        try:
            target = here.readlink()
            folder = here.parent.resolve()
        except OSError:  # no link, or nothing at all
            return
        here = Path(os.path.normpath(folder / target))


def is_same(one: Path, other: Path) -> bool:
    """Do both lead to the same file, which is there?"""
    try:
        return one.samefile(other)
    except OSError:
        return False


def is_inside(path: Path, folder: Path) -> bool:
    """Does the file (or a link, as itself) lie below the folder, whatever links lead there?"""
    return (path.parent.resolve() / path.name).is_relative_to(folder.resolve())


class Bounds:
    """How far a look goes, and which folders did not let it in."""

    def __init__(self, folders: int | None = None, seconds: float | None = None) -> None:
        self._left = MOST_FOLDERS if folders is None else folders
        self._until = time.monotonic() + (WALK_SECONDS if seconds is None else seconds)
        self.closed: list[Path] = []
        self.beat = time.monotonic()  # when it last came on

    def step(self, root: Path) -> None:
        """One more folder; BadInput where there are more than anybody keeps models in."""
        self.beat = time.monotonic()
        self._left -= 1
        if self._left < 0 or self.beat > self._until:
            raise BadInput(
                f"{shown(str(root))} has too much in it to be looked through.",
                "Name a folder that is nearer to the models.",
            )

    def note(self, error: OSError) -> None:
        """A folder could not be listed."""
        if isinstance(error, PermissionError) and error.filename:
            self.closed.append(Path(os.fsdecode(error.filename)))


def walk(root: Path, *, bounds: Bounds | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below the root with its files' names, linked ones too, none twice.

    Within bounds it is BadInput where somebody named half of the disk.
    """
    seen: set[tuple[int, int]] = set()
    note = bounds.note if bounds else None
    for folder, folders, names in os.walk(root, followlinks=True, onerror=note):
        if bounds:
            bounds.step(root)
        try:
            stat = Path(folder).stat()
        except OSError:
            folders.clear()
            continue
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()  # a link that leads back
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders.sort()
        yield Path(folder), names
