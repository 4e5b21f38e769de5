"""One file that moves: a copy beside its place, compared with what it was made from."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from lib.core import links, locks

ENDING = ".moving"
_BLOCK_BYTES = 4 << 20


class Copy:
    """The file `source`, on its way to `target`, where nothing is yet or the same already."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source, self.target = source, target
        name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:24]
        self._path = target.with_name(f"{name}{ENDING}")  # short, however long the file's name is

    def link_to(self, place: Path) -> None:
        """Make it a link, as the source is one."""
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(place)

    def fill(self, told: Callable[[int, str], None], *, copies_always: bool = False) -> None:
        """The same content: by the disk itself where it can, else copied, then read and compared.

        OSError with EIO where what is read is not what was written.
        """
        self._path.unlink(missing_ok=True)
        if not copies_always and self._is_linked():
            return
        size = self.source.stat().st_size
        with locks.locked(self._path), self.source.open("rb") as source:
            written = _written(source.fileno(), self._path, lambda n: told(n, self.source.name))
            if self._path.stat().st_size != size or digest(self._path) != written:
                raise OSError(errno.EIO, "the copy is not like the file", str(self.source))

    def _is_linked(self) -> bool:
        with contextlib.suppress(OSError):  # another disk, or one without such links
            os.link(self.source, self._path)
            return True
        return False

    def take_its_place(self) -> None:
        """Give it its name, unless the source was removed meanwhile."""
        if os.path.lexists(self._path) and os.path.lexists(self.source):
            with contextlib.suppress(OSError):  # a disk that keeps neither times nor rights
                shutil.copystat(self.source, self._path, follow_symlinks=False)
            self._path.replace(self.target)

    def discard(self) -> None:
        """What has not got its name goes."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def remove_source(self, root: Path) -> None:
        """Delete the old one, where the new one is in its place, and folders left empty."""
        if not os.path.lexists(self.target) or _named(self.source) == _named(self.target):
            return
        with contextlib.suppress(OSError):
            self.source.unlink(missing_ok=True)
            folder = self.source.parent
            while folder != root:
                folder.rmdir()
                folder = folder.parent


def _written(source: int, path: Path, told: Callable[[int], None]) -> str:
    """Copy what is left of the open file, and bring it to the disk; its checksum."""
    hashed = hashlib.sha256()
    with path.open("r+b", buffering=0) as file:
        while block := os.read(source, _BLOCK_BYTES):
            hashed.update(block)
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
            told(len(block))
        os.fsync(file.fileno())
    return hashed.hexdigest()


def digest(path: Path) -> str:
    """The checksum of what the disk has, rather than of what memory keeps of it."""
    hashed = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):  # macOS has none
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := file.read(_BLOCK_BYTES):
            hashed.update(block)
    return hashed.hexdigest()


def makes_needless(other: Path, one: Path) -> bool:
    """Is nothing lost when `one` goes, because `other` leads to the same, and not through it?"""
    passed = {*map(_named, links.hops(other))}
    if _named(one) in passed:  # by whatever links both lead there
        return False
    with contextlib.suppress(OSError):
        if one.is_symlink():
            return os.path.realpath(one) == os.path.realpath(other)
        is_alike = not other.is_symlink() and one.stat().st_size == other.stat().st_size
        return is_alike and (one.samefile(other) or digest(one) == digest(other))
    return False


def _named(path: Path) -> Path:
    """The file or link itself, by its true folder."""
    return path.parent.resolve() / path.name


def is_one_disk(one: Path, other: Path) -> bool:
    """Can files go from one to the other without a copy?"""
    with contextlib.suppress(OSError):
        return one.stat().st_dev == other.stat().st_dev
    return False


def settle(copies: Iterable[Copy]) -> None:
    """The new names are on the disk before the old ones go."""
    for folder in {one.target.parent for one in copies}:
        handle = os.open(folder, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some network folders refuse
                os.fsync(handle)
        finally:
            os.close(handle)


def remove_empty(root: Path) -> None:
    """What broken-off copies have left, and folders with nothing in them; never the root."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(folder) / name
            if path.suffix == ENDING and not locks.is_held(path):
                path.unlink(missing_ok=True)
        if Path(folder) != root:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def remove_if_empty(folder: Path) -> None:
    """The folder alone."""
    with contextlib.suppress(OSError):
        folder.rmdir()
