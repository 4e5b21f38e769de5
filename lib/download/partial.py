"""A file that is being made: `name.part` beside its place, locked, hashed as it grows.

It gets its name only when it is whole and its checksum is right. What is there of it outlives the
process, with a note beside it of what it is the beginning of, so that the work can go on later.
"""

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lib.core import locks, words
from lib.core.errors import BadInput, BrokenFile, NoSpace
from lib.core.files import (
    free_bytes,
    make_private,
    read_json,
    write_json,
)

RESERVE_BYTES = 100_000_000  # left free for everything else that has to write
LOOK_SECONDS = 0.5
_BLOCK_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

FreeBytes = Callable[[Path], int]


class Partial:
    """The partial file of `target`, held by this process alone."""

    def __init__(self, target: Path, file: BinaryIO) -> None:
        self.target = target
        self._path, self._note = _part(target), _note(target)
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._hash: Any = None  # made when needed: hashing what is there takes a second per GB
        self.identity = read_json(self._note) if self.size else None

    def identify(self, identity: dict[str, Any]) -> None:
        """Say what this is the beginning of."""
        if identity != self.identity:
            with _explained(self._note):
                write_json(self._note, identity)
            self.identity = identity

    def append(self, data: bytes) -> None:
        """Add bytes. NoSpace where the disk is full; what is there stays."""
        digest = self._digest()
        with _explained(self._path):
            while data:
                written = self._file.write(data)
                digest.update(data[:written])
                self.size += written
                data = data[written:]

    def restart(self) -> None:
        """Throw away what is there."""
        if self.size:
            with _explained(self._path):
                self._file.truncate(0)
        self.size, self._hash, self.identity = 0, None, None
        self._note.unlink(missing_ok=True)

    def require_space(self, more: int, free: FreeBytes = free_bytes) -> None:
        """NoSpace unless `more` bytes can be written and some room is left."""
        found = free(self.target.parent)
        if found < more + RESERVE_BYTES:
            raise NoSpace(
                f"The disk is too full: {words.disk(found)} free, "
                f"{words.disk(more + RESERVE_BYTES)} needed.",
                "Free some space, then resume.",
            )

    def finish(self, sha256: str = "") -> None:
        """Verify it and give it its name; BrokenFile, and the part is gone, where it is wrong."""
        found = self._digest().hexdigest()
        if sha256 and found != sha256:
            self.restart()
            raise BrokenFile(
                f"{self.target.name} arrived damaged: its checksum is {found[:12]}…, "
                f"not {sha256[:12]}….",
                "It was removed. Try again: it is fetched from the beginning.",
            )
        with _explained(self.target):
            os.fsync(self._file.fileno())
            self._path.replace(self.target)
        self._note.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it; a part with nothing in it leaves no trace."""
        if self.size == 0:
            self._path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
        locks.give_back(self._file.fileno())
        self._file.close()

    def _digest(self) -> Any:
        if self._hash is None:
            self._hash = hashlib.sha256()
            self._file.seek(0)
            for _ in range(0, self.size, _BLOCK_BYTES):
                self._hash.update(self._file.read(_BLOCK_BYTES))
        return self._hash


@contextlib.contextmanager
def claimed(
    target: Path, size: int | None, waiting: Callable[[int], None]
) -> Iterator[Partial | None]:
    """The partial file of `target`; None where the whole file is there.

    While another process works on it, its size is told to `waiting`; often that one finishes it.
    """
    with _explained(target):
        make_private(target.parent)
        file = _locked_part(target, size, waiting)
    if file is None:
        yield None
        return
    part = Partial(target, file)
    try:
        yield part
    finally:
        part.close()


def _locked_part(target: Path, size: int | None, waiting: Callable[[int], None]) -> BinaryIO | None:
    path = _part(target)
    while not is_whole(target, size):
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        is_ours = locks.take(handle, path)
        if is_ours and _is_at(path, handle):
            return os.fdopen(handle, "ab+", buffering=0)
        locks.give_back(handle)
        os.close(handle)
        if not is_ours:
            with contextlib.suppress(OSError):
                waiting(path.stat().st_size)
            time.sleep(LOOK_SECONDS)
    return None


def is_whole(target: Path, size: int | None) -> bool:
    """Is the finished file there? Only verified files get that name; its size tells of a mishap."""
    try:
        return target.is_file() and size in (None, target.stat().st_size)
    except OSError:
        return False


def kept_bytes(target: Path) -> int:
    """What an earlier try has left of it."""
    try:
        return _part(target).stat().st_size
    except OSError:
        return 0


def _is_at(path: Path, handle: int) -> bool:
    """Is the open file still the one of this name, or was it finished while this one waited?"""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what the disk says into words."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(
                f"The disk became full: {words.disk(free_bytes(path.parent))} free.",
                "Free some space, then resume: what has arrived is kept.",
            ) from error
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.",
            "Check the folder and its permissions, then resume.",
        ) from error
