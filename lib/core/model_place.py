"""Where the models lie: `models_folder.json` in BERTH_HOME, or its folder `models` where none is.

One rename changes it. A folder that somebody chose has a marker in it, by which it is told from the
empty folder that is left where a disk is not connected: nothing is ever written there.
"""

import errno
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.core.errors import Conflict

NAME, MARKER = "models_folder.json", ".berth-models"
USUAL = "models"


class Kept(BaseModel):
    """The file; an empty text is BERTH_HOME's own folder."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    now: str
    before: str | None = None


class Place(NamedTuple):
    """The folder of new models, and the one where those of before still lie."""

    now: Path
    before: Path | None = None
    is_readable: bool = True  # does the file tell?

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where models are looked for; what is in the first goes before the same in the other."""
        return (self.now, self.before) if self.before else (self.now,)


def place(home: Path) -> Place:
    """As it is kept; read again only where that has changed."""
    path = home / NAME
    try:
        seen = path.stat()
    except OSError:
        return Place(home / USUAL)
    return _read(path, seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _inode: int) -> Place:
    own = path.parent / USUAL
    try:
        kept = Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return Place(own, is_readable=False)
    before = None if kept.before is None else Path(kept.before or own)
    return Place(Path(kept.now or own), before)


def is_there(folder: Path, home: Path) -> bool:
    """BERTH_HOME's own folder is made where it is missing; one on another disk has its marker."""
    return folder == home / USUAL or os.path.isfile(folder / MARKER)  # noqa: PTH113 - never raises


def gone(home: Path) -> tuple[Path, ...]:
    """The folders whose disk is not connected; nobody can tell where the file is damaged."""
    found = place(home)
    away = tuple(root for root in found.roots if not is_there(root, home))
    return away if found.is_readable else (*away, home / USUAL)


def require_there(home: Path, *folders: Path) -> None:
    """Conflict where the disk of one of these is not connected; of the new models' where none."""
    for folder in folders or (place(home).now,):
        if folder in gone(home):
            raise Conflict(
                f"The folder with your models, {folder}, is not there.",
                "Connect its disk, or choose another folder on Settings. Nothing was removed.",
            )


def require_written(folder: Path, home: Path) -> None:
    """OSError for a folder of models whose disk is not connected, before anything is made there."""
    found = place(home)
    if found.now == home / USUAL and found.before is None and found.is_readable:
        return
    for root in gone(home):
        if folder == root or root in folder.parents:
            raise OSError(errno.ENODEV, "the folder with your models is not there", str(root))
