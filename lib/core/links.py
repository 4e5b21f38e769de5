"""Links on the disk, followed one by one: names and neighbours are those of each place on the way.

The Hub's own tool keeps files under their checksums and gives them names by links, so what a link
points to in the end has neither a name nor neighbours.
"""

import os
from collections.abc import Iterator
from pathlib import Path

MOST_HOPS = 40  # as Linux itself allows


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


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below the root with its files' names, linked ones too, none twice."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
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
