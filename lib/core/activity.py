"""What happened on this machine, and who did it: for 30 days, as rows of berth.db."""

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum

from lib.core import database
from lib.core.access import BERTH, NotSignedIn, Role, current
from lib.core.names import shown
from lib.core.values import Frozen

KEPT_SECONDS = 30 * 86_400
PROGRAM = "a program"  # one whose name is not at hand
LONGEST = 500  # characters of a subject or a detail
SCHEMA = """
CREATE TABLE IF NOT EXISTS activity (
    at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    who TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS activity_by_time ON activity (at);
"""
_RECENT = """
SELECT rowid, at, kind, subject, who, detail FROM activity
WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY rowid DESC LIMIT ?
"""
_ABOUT = """
SELECT rowid, at, kind, subject, who, detail FROM activity
WHERE subject = ? ORDER BY rowid DESC LIMIT ?
"""
GUEST = "guest"  # who; a name may follow
_log = logging.getLogger(__name__)
_name_of: Callable[[str], str] | None = None  # what the guest with a login is called


class Kind(StrEnum):
    """What happened."""

    STARTED = "started"
    STOPPED = "stopped"
    REMOVED = "removed"
    FAILED = "failed"
    SIGNED_IN = "signed in"
    PUT_OUT = "put out"
    KEY_MADE = "key made"
    KEY_OFF = "key disabled"
    KEY_ON = "key enabled"
    KEY_DELETED = "key deleted"


class Event(Frozen):
    """One row."""

    number: int  # larger than those of before, whatever clocks do
    at: float  # epoch seconds
    kind: Kind
    subject: str  # a model's name, or a guest's
    who: str = ""  # "" for the owner, else "guest Ada" or "Berth"
    detail: str = ""


def note(kind: Kind, subject: str, detail: str = "", who: str | None = None) -> None:
    """Keep it. Where that fails, it is told in the log, and nobody is stopped."""
    by, now = who_acts() if who is None else who, time.time()
    try:
        with database.opened(SCHEMA) as rows:
            row = (now, kind, shown(subject, LONGEST), by, shown(detail, LONGEST))
            rows.execute("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", row)
            rows.execute("DELETE FROM activity WHERE at < ?", (now - KEPT_SECONDS,))
    except (sqlite3.Error, OSError, ValueError) as error:
        _log.warning("%s was not noted: %s", kind, error)


def recent(limit: int = 50, kinds: tuple[Kind, ...] = ()) -> list[Event]:
    """The newest first; none where they cannot be read."""
    if database.version() == (0, 0):
        return []
    return _found(_RECENT, (json.dumps(kinds or [*Kind]), limit))


def about(subject: str, limit: int = 20) -> list[Event]:
    """The same of one model, or one guest."""
    if database.version() == (0, 0):
        return []
    return _found(_ABOUT, (shown(subject, LONGEST), limit))


def _found(query: str, asked: tuple[str, int]) -> list[Event]:
    try:
        with database.opened(SCHEMA) as rows, closing(rows.execute(query, asked)) as it:
            return [Event(**dict(zip(Event.model_fields, row, strict=True))) for row in it]
    except (sqlite3.Error, OSError, ValueError) as error:
        _log.warning("activity cannot be read: %s", error)
        return []


def know_guests(name_of: Callable[[str], str]) -> None:
    """`name_of` tells what the guest with this login is called; "" where nobody knows."""
    global _name_of
    _name_of = name_of


def who_acts() -> str:
    """Whoever acts now: "" for the owner, "guest", "guest Ada", "Berth", or PROGRAM with a key."""
    try:
        role, who = current()
    except NotSignedIn:
        return BERTH
    if role == Role.OWNER:
        return BERTH if who == BERTH else ""
    if role == Role.PROGRAM:
        return PROGRAM
    name = _name_of(who) if _name_of else ""
    return f"{GUEST} {name}".strip()
