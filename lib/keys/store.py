"""The API keys: rows of berth.db, and a copy of them in memory that every request is held against.

Nothing here reads the disk for a request but one stat. Where the file has changed since the copy
was made (another process may write it too), it is read again, at most once a second.
"""

import hmac
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lib.core import activity, database
from lib.core.access import Action, require
from lib.core.activity import Kind
from lib.core.database import ToldOnce
from lib.core.errors import BadInput, Conflict, NotFound
from lib.core.names import shown
from lib.keys import place
from lib.keys import secret as secrets_of_keys
from lib.keys.errors import KeyInUse
from lib.keys.key import Key, KeyChange, NewKey

MOST = 1_000
FRESH_SECONDS = 1.0  # so often, at most, the file is read for what others have written
# A file's time goes in steps: what was written just before it was read may be followed by more.
STEP_NS = 50_000_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS api_keys (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT NOT NULL, hint TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, is_disabled INTEGER NOT NULL, models TEXT,
    per_minute INTEGER, tokens_a_day INTEGER
) WITHOUT ROWID;
"""
_ALL = """
SELECT digest, id, name, hint, created_at, expires_at, is_disabled, models, per_minute, tokens_a_day
FROM api_keys ORDER BY created_at, id
"""
_ADD = "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHANGE = """
UPDATE api_keys SET name = ?, expires_at = ?, is_disabled = ?, models = ?, per_minute = ?,
    tokens_a_day = ? WHERE id = ?
"""
_NOBODYS = bytes(32)
_READING = ToldOnce("the API keys cannot be read")

_Stamp = tuple[str, int, int, int]


class _Copy(NamedTuple):
    """What the file said; `stamp` is None where it may say more by now."""

    file: Path | None
    stamp: _Stamp | None
    looked_at: float  # on the monotonic clock
    by_digest: Mapping[bytes, tuple[bytes, Key]]  # by how it begins
    by_id: Mapping[str, Key]
    problem: str = ""


_copy = _Copy(None, None, 0.0, {}, {})
_lock = threading.Lock()
_told: list[Callable[[], None]] = []


def when_changed(tell: Callable[[], None]) -> None:
    """`tell` is called, in whatever thread, after keys were changed in this process."""
    _told.append(tell)


def is_fresh() -> bool:
    """Is the copy what the file says? One stat; where not, `look` before a key is judged."""
    copy, file = _copy, place.file()
    if copy.file != file:
        return False
    is_soon = time.monotonic() - copy.looked_at < FRESH_SECONDS
    return is_soon or (copy.stamp is not None and copy.stamp == _stamp(file))


def look() -> None:
    """Read the file where that is due; may wait for it. What cannot be read stays as it was."""
    if not is_fresh():
        with _lock:
            if not is_fresh():
                _read()


def problem() -> str:
    """Why the keys cannot be read; "" where they can."""
    return _copy.problem


def proved(secret: str) -> Key | None:
    """Whose secret this is, whether that key still holds or not; from memory.

    What is looked up is a hash, whose parts say nothing of the secret, and it is then compared in
    constant time.
    """
    digest = secrets_of_keys.digest(secret)
    kept, key = _copy.by_digest.get(digest[:8], (_NOBODYS, None))
    return key if hmac.compare_digest(kept, digest) else None


def known(key_id: str) -> Key | None:
    """The key with this id, from memory."""
    return _copy.by_id.get(key_id)


def all_keys() -> list[Key]:
    """Every key, the oldest first; for the owner. Conflict where they cannot be read."""
    require(Action.CONFIGURE)
    look()
    if _copy.problem:
        raise _cannot("read", _copy.problem)
    return list(_copy.by_id.values())


def create(new: NewKey) -> tuple[Key, str]:
    """A new key and its secret, which nobody can tell a second time."""
    require(Action.CONFIGURE)
    _check_time(new.expires_at)
    secret = secrets_of_keys.made()
    hint, now = secrets_of_keys.hint(secret), time.time()
    key = Key(secrets.token_hex(6), hint=hint, created_at=now, **new.model_dump())
    with _writing() as (file, keys):
        if len(keys) >= MOST:
            raise Conflict(f"There are {MOST:,} keys.", "Delete those that nobody uses.")
        _check_name(key.name, keys)
        first = (key.id, secrets_of_keys.digest(secret), key.name, key.hint, key.created_at)
        file.execute(_ADD, (*first, *_columns(key)[1:]))
    activity.note(Kind.KEY_MADE, _title(key))
    return key, secret


def change(key_id: str, wanted: KeyChange) -> Key:
    """Change what is named; one that is disabled is so at once, for what runs too."""
    require(Action.CONFIGURE)
    changes = wanted.changes()
    _check_time(changes.get("expires_at"))
    with _writing() as (file, keys):
        before = _named(key_id, keys)
        key = before._replace(**changes)
        _check_name(key.name, [one for one in keys if one.id != key_id])
        file.execute(_CHANGE, (*_columns(key), key_id))
    if key.is_disabled != before.is_disabled:
        activity.note(Kind.KEY_OFF if key.is_disabled else Kind.KEY_ON, _title(key))
    return key


def delete(key_id: str) -> None:
    """Forget it; KeyInUse unless it was disabled before, so that nothing ends by a slip."""
    require(Action.CONFIGURE)
    with _writing() as (file, keys):
        key = _named(key_id, keys)
        if not key.is_disabled:
            raise KeyInUse(
                f"The key “{shown(key.name)}” is not disabled.",
                "Disable it first; when nothing misses it, delete it.",
            )
        file.execute("DELETE FROM api_keys WHERE id = ?", (key_id,))
    activity.note(Kind.KEY_DELETED, _title(key))


@contextmanager
def _writing() -> Iterator[tuple[sqlite3.Connection, list[Key]]]:
    """The file, and its keys as they are while nobody else writes; then the copy is new."""
    with _lock:
        try:
            with database.opened(SCHEMA) as file:
                file.execute("BEGIN IMMEDIATE")
                yield file, [key for _, key in _rows(file)]
        except (sqlite3.Error, OSError) as error:
            raise _cannot("written", str(error)) from error
        _read()
    for tell in _told:
        tell()


def _read() -> None:
    """Make a new copy; what cannot be read leaves the old one of the same file."""
    global _copy
    file, now = place.file(), time.monotonic()
    stamp, age = _stamp(file), time.time_ns()
    old = _copy if _copy.file == file else _Copy(file, None, now, {}, {})
    try:
        rows = [] if stamp[1] == 0 else _all()
    except (sqlite3.Error, OSError, ValueError) as error:
        _READING.wrong(error)
        _copy = old._replace(stamp=None, looked_at=now, problem=str(error))
        return
    _READING.well()
    is_settled = age - stamp[1] > STEP_NS
    by_digest = {digest[:8]: (digest, key) for digest, key in rows}
    by_id = {key.id: key for _, key in rows}
    _copy = _Copy(file, stamp if is_settled else None, now, by_digest, by_id)


def _all() -> list[tuple[bytes, Key]]:
    with database.opened(SCHEMA) as file:
        return _rows(file)


def _rows(file: sqlite3.Connection) -> list[tuple[bytes, Key]]:
    return [(bytes(digest), _key(*row)) for digest, *row in file.execute(_ALL)]


def _key(*row: Any) -> Key:
    key = Key(*row)
    models = None if key.models is None else tuple(json.loads(str(key.models)))
    return key._replace(is_disabled=bool(key.is_disabled), models=models)


def _columns(key: Key) -> tuple[Any, ...]:
    models = None if key.models is None else json.dumps(key.models)
    limits = key.per_minute, key.tokens_a_day
    return key.name, key.expires_at, int(key.is_disabled), models, *limits


def _named(key_id: str, keys: list[Key]) -> Key:
    for key in keys:
        if key.id == key_id:
            return key
    raise NotFound(f"There is no key “{shown(key_id)}”.", "GET /api/keys lists those there are.")


def _check_name(name: str, keys: list[Key]) -> None:
    if any(name.casefold() == key.name.casefold() for key in keys):
        raise BadInput(f"There is a key “{shown(name)}” already.", "Choose another name.")


def _check_time(expires_at: float | None) -> None:
    if expires_at is not None and expires_at <= time.time():
        raise BadInput("The key would have expired already.", "Choose a time to come, or none.")


def _title(key: Key) -> str:
    return f"The key {key.name}"


def _cannot(done: str, why: str) -> Conflict:
    return Conflict(
        f"The API keys cannot be {done}: {why}.",
        "Look at the disk and at the file berth.db in Berth's folder.",
    )


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return str(file), found.st_mtime_ns, found.st_size, found.st_ino
