"""A settings file of another program: read and replaced whole, or refused in words.

Links are followed to the file itself, which is replaced by a rename beside it and keeps its rights.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import Conflict
from lib.core.names import shown

LARGEST = 2**20  # bytes
LONGEST_SHOWN = 200
SUFFIX = ".before-berth"
MOST_BACKUPS = 100
NEW_FILE = 0o600  # a key may stand in it


class Refused(Conflict, code="settings_refused"):
    """A settings file that Berth does not touch."""


class Seen(NamedTuple):
    """A file as it was read; `data` is None where there is none."""

    path: Path  # the file itself, past all links
    data: bytes | None

    @property
    def text(self) -> str:
        """What stands in it; Refused where that is no UTF-8."""
        try:
            return (self.data or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(f"{_name(self.path)} is no UTF-8 text.", "Save it as UTF-8.") from None

    @property
    def digest(self) -> str:
        """By which a change is known; "" where there is no file."""
        return "" if self.data is None else digest(self.data)


def digest(data: bytes) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def see(path: Path) -> Seen:
    """The file; Refused where it is not this user's own, or no plain file of a sensible size."""
    try:
        real = path.resolve(strict=False)
        if path.is_symlink() and not real.exists():
            raise Refused(
                f"{_name(path)} is a link to {_name(real)}, which is not there.",
                "Make that file, or remove the link.",
            )
        if not real.exists():
            _check_folder(real.parent)
            return Seen(real, None)
        found = real.stat()
        _check(real, found)
        return Seen(real, real.read_bytes())
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", "") or "its links go round in a circle"
        raise Refused(f"{_name(path)} cannot be read: {said}.", "Look at its rights.") from None


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{_name(path)} is no plain file.", "Move it away.")
    if found.st_uid != os.geteuid():
        raise Refused(
            f"{_name(path)} belongs to another user.",
            "Berth changes only files of the user that it runs as.",
        )
    if found.st_size > LARGEST:
        raise Refused(f"{_name(path)} is larger than 1 MiB.", "Change it by hand.")


def _check_folder(folder: Path) -> None:
    while not folder.exists():
        folder = folder.parent
    if folder.stat().st_uid != os.geteuid():
        raise Refused(
            f"{_name(folder)} belongs to another user.",
            "Berth writes only where the user that it runs as has a folder.",
        )


def write(path: Path, data: bytes, like: Path | None = None) -> None:
    """Replace the file in one step; its rights are the old file's, or those of `like`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _copy_rights(handle, like or path)
                file.write(data)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(
            f"{_name(path)} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's rights.",
        ) from error


def _copy_rights(handle: int, like: Path) -> None:
    try:
        old = like.stat()
    except OSError:
        os.fchmod(handle, NEW_FILE)
        return
    with contextlib.suppress(OSError):  # a group that this user is not in
        os.fchown(handle, -1, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))


def back_up(seen: Seen) -> Path | None:
    """Keep the file's bytes beside it under a name that was free; None where there is no file."""
    if seen.data is None:
        return None
    for number in range(1, MOST_BACKUPS):
        place = seen.path.with_name(f"{seen.path.name}{SUFFIX}{'' if number == 1 else number}")
        if not os.path.lexists(place):
            write(place, seen.data, like=seen.path)
            return place
    raise Refused(
        f"There are {MOST_BACKUPS} copies of {_name(seen.path)} beside it.", "Remove old ones."
    )


def _name(path: Path) -> str:
    return shown(str(path), LONGEST_SHOWN)
