"""Locks that end with their holder, however it ends: flock on a file.

A lock belongs to the open file. A child that inherits it keeps the lock after its parent is gone,
and closing one copy never releases it for the others. Standard library only: the job runner uses
it.

Some network folders refuse locks. Then a file of this machine stands for the one there, which holds
among the processes of this machine, as all of one BERTH_HOME are.
"""

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REFUSED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_stand_ins: dict[int, int] = {}  # open files that stand for others, by those


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock, after waiting for whoever has it; yields the descriptor, for heirs."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        handle = _locked(handle, path)
        yield handle
    finally:
        os.close(handle)


def take(handle: int, path: Path) -> bool:
    """Lock the open file of this path without waiting; False where somebody else has it.

    `give_back` before it is closed.
    """
    try:
        return _try(handle)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    stand_in = _stand_in(path)
    if _try(stand_in):
        _stand_ins[handle] = stand_in
        return True
    os.close(stand_in)
    return False


def give_back(handle: int) -> None:
    """Release what stood for this open file, if anything did."""
    stand_in = _stand_ins.pop(handle, None)
    if stand_in is not None:
        os.close(stand_in)


def is_held(path: Path) -> bool:
    """Does anybody hold this lock? Asking does not disturb others who ask."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(handle, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return _is_stand_in_held(path)
    finally:
        os.close(handle)


def _is_stand_in_held(path: Path) -> bool:
    handle = _stand_in(path)
    try:
        return not _try(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _locked(handle: int, path: Path) -> int:
    """The open file that holds the lock: this one, or what stands for it."""
    try:
        _flock(handle, fcntl.LOCK_EX)
        return handle
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    stand_in = _stand_in(path)
    _flock(stand_in, fcntl.LOCK_EX)
    os.close(handle)
    return stand_in


def _try(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        _flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flock(handle: int, how: int) -> None:
    fcntl.flock(handle, how)


def _stand_in(path: Path) -> int:
    """The open file of this machine that stands for one that cannot be locked."""
    folder = Path(tempfile.gettempdir()) / f"berth-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise OSError(errno.ENOLCK, "Locks are refused, and what stands for them is not ours")
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:40]
    return os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
