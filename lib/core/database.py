"""`berth.db` in BERTH_HOME: what is kept in rows. Comfort: no failure of it stops anything else.

A file that is damaged is kept aside as `berth.broken-N.db`, and a new one begun; `problem` says so.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from lib.core.files import make_private
from lib.core.locks import locked
from lib.core.settings import settings

PATIENCE_SECONDS = 1.0  # for somebody else's write
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_log = logging.getLogger(__name__)
_problems: dict[Path, str] = {}


class ToldOnce:
    """Says in the log what cannot be done, once, until it was well again."""

    def __init__(self, what: str) -> None:
        self._what, self._is_well = what, True

    def well(self) -> None:
        """It could be done."""
        self._is_well = True

    def wrong(self, error: Exception) -> None:
        """It could not."""
        if self._is_well:
            _log.warning("%s: %s", self._what, error)
        self._is_well = False


def path() -> Path:
    """Where it is."""
    return settings().home / "berth.db"


def problem() -> str:
    """What was wrong with it since this process began, in a sentence; "" for nothing."""
    return _problems.get(path(), "")


@contextlib.contextmanager
def opened(schema: str) -> Iterator[sqlite3.Connection]:
    """A connection with these tables (`CREATE TABLE IF NOT EXISTS …`); all or nothing is written.

    sqlite3.Error where it is locked or cannot be written. What is damaged is put aside first.
    """
    try:
        connection = _connected(schema)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        _put_aside()
        connection = _connected(schema)
    try:
        with connection:
            yield connection
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            _put_aside()
        raise
    finally:
        connection.close()


def version() -> tuple[int, int]:
    """Another value when something was written: to know that what was read still holds."""
    with contextlib.suppress(OSError):
        told = path().stat()
        return told.st_mtime_ns, told.st_size
    return 0, 0


def _connected(schema: str) -> sqlite3.Connection:
    file = path()
    if not file.exists():
        make_private(file.parent)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(file, timeout=PATIENCE_SECONDS)
    try:
        connection.executescript(schema)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in _DAMAGED


def _put_aside() -> None:
    """Unless another process has done so meanwhile: then the file is a new one."""
    file = path()
    with locked(file.with_suffix(".lock")):
        if _is_whole(file):
            return
        aside = next(
            spare
            for number in range(1, 1_000)
            if not (spare := file.with_suffix(f".broken-{number}.db")).exists()
        )
        file.replace(aside)
        _problems[file] = (
            f"{file.name} was damaged. It is kept as {aside.name}, and a new one was begun."
        )
        _log.warning("%s", _problems[file])


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return True
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return not _is_damage(error)
