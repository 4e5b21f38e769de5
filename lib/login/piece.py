"""Files that start Berth, on the disk: the one place that reads, writes and removes them."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import Conflict
from lib.core.files import write_text


class Piece(NamedTuple):
    """One file: its text, or another file to copy; `is_program`: it can be run."""

    path: Path
    text: str = ""
    copied: Path | None = None
    is_program: bool = False


class Standing(NamedTuple):
    """What would be written, and what there is."""

    what: str  # as people call it
    path: Path
    text: str  # that would be written now
    found: str  # that is there; "" for nothing
    essence: Callable[[str], list[str]]  # what of a text says which Berth is started
    is_switched_off: bool = False  # it is there, and somebody has told the system not to use it

    @property
    def is_on(self) -> bool:
        """Is there a file of ours that the system uses, whichever Berth it starts?"""
        return bool(self.found) and not self.is_switched_off

    @property
    def is_stale(self) -> bool:
        """Does it start another folder than this, or with another BERTH_HOME?"""
        return bool(self.found) and self.essence(self.found) != self.essence(self.text)


def read(path: Path) -> str:
    """The text that is there; "" for none."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def write(pieces: Sequence[Piece]) -> None:
    """All of them, for the owner alone; Conflict where one cannot be written."""
    for path, text, copied, is_program in pieces:
        try:
            if copied:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copied, path)
            else:
                write_text(path, text)
            if is_program:
                path.chmod(0o700)
        except OSError as error:
            raise _trouble(path, "written", error) from error


def remove(path: Path) -> None:
    """The file, or the folder with all that is in it; nothing where there is none."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _trouble(path, "removed", error) from error


def _trouble(path: Path, done: str, error: OSError) -> Conflict:
    return Conflict(
        f"{path} cannot be {done}: {error.strerror}.", "Look at the permissions of its folder."
    )
