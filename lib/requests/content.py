"""What programs ask and get, where the owner has switched on that it is kept.

Off unless it is; then cut, without secrets, and for a few days. When it is switched off, what was
kept goes at once. The chat page's talks are never kept here.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from lib.core import database, preferences
from lib.core.access import Action, require
from lib.core.database import ToldOnce
from lib.core.errors import Conflict
from lib.core.redact import LONGEST_SECRET, redact

KEPT_DAYS, MOST_KEPT = 7, 2_000
LONGEST = 4_000  # characters, of what is asked and of what is answered
MOST_BYTES = 256 * 1_024  # of an answer as it passes: about 1,000 tokens of a stream
SCHEMA = """
CREATE TABLE IF NOT EXISTS requests_said (
    id TEXT PRIMARY KEY, at REAL NOT NULL, asked TEXT NOT NULL, answered TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_said_by_time ON requests_said (at);
"""
_ROOM = LONGEST + LONGEST_SECRET  # a secret that is cut in two would not be known as one
_CUT = "…"
_TEXTS = ("text", "content", "thinking", "delta", "reasoning_content", "reasoning")
_WITHIN = ("choices", "message", "delta", "content", "output", "response")
_DEEPEST = 6
_UNREADABLE = ToldOnce("what was said in requests cannot be read")


class Said(NamedTuple):
    """What was asked, as text, and the answer as it passed."""

    asked: str
    answer: bytes


class Kept(NamedTuple):
    """What is kept of one request."""

    asked: str
    answered: str


def is_wanted() -> bool:
    """Does the owner want it kept?"""
    return preferences.preferences().keeps_requests_text


def choose(is_kept: bool) -> None:
    """Keep it from now on, or no longer: then what was kept goes at once."""
    require(Action.CONFIGURE)
    preferences.change(keeps_requests_text=is_kept)
    if not is_kept:
        forget()


def forget() -> None:
    """What was kept goes, from the disk too."""
    require(Action.CONFIGURE)
    if database.version() == (0, 0):
        return
    try:
        with database.opened(SCHEMA) as file:
            file.execute("PRAGMA secure_delete = ON")
            file.execute("DELETE FROM requests_said")
    except (sqlite3.Error, OSError) as error:
        raise Conflict(
            "What was kept of requests could not be removed: the database is in use.",
            "Try again in a moment.",
        ) from error


def of(request_id: str) -> Kept | None:
    """What is kept of this request; None for nothing. For the owner."""
    require(Action.REQUESTS)
    if database.version() == (0, 0):
        return None
    try:
        with database.opened(SCHEMA) as file:
            query = "SELECT asked, answered FROM requests_said WHERE id = ?"
            row = file.execute(query, (request_id,)).fetchone()
    except (sqlite3.Error, OSError, ValueError) as error:
        _UNREADABLE.wrong(error)
        return None
    _UNREADABLE.well()
    return Kept(*row) if row else None


def write(file: sqlite3.Connection, rows: Iterable[tuple[str, float, Said]]) -> None:
    """Keep these, and drop what is too old or too much."""
    if not is_wanted():
        return
    found = [
        (name, at, _clean(said.asked, from_end=True), _clean(_text(said.answer)))
        for name, at, said in rows
    ]
    file.execute("PRAGMA secure_delete = ON")
    file.executemany("INSERT OR REPLACE INTO requests_said VALUES (?, ?, ?, ?)", found)
    tidy(file)


def tidy(file: sqlite3.Connection) -> None:
    """Drop what is too old or too much."""
    file.execute("DELETE FROM requests_said WHERE at < ?", (time.time() - KEPT_DAYS * 86_400,))
    oldest = "SELECT at FROM requests_said ORDER BY at DESC LIMIT 1 OFFSET ?"
    file.execute(f"DELETE FROM requests_said WHERE at <= ({oldest})", (MOST_KEPT,))  # noqa: S608


def asked(fields: dict[str, Any]) -> str:
    """The text of a request, its end where it is long; pictures and sounds are left out."""
    return "\n".join(_lines(fields))[-_ROOM:]


def _lines(fields: dict[str, Any]) -> Iterator[str]:
    for name in ("system", "instructions", "prompt", "input", "query", "documents"):
        yield from _strings(fields.get(name), 0)
    for message in fields.get("messages") or ():
        if isinstance(message, dict):
            said = " ".join(_strings(message.get("content"), 0))
            yield f"{message.get('role', '')}: {said}"


def _strings(value: Any, depth: int) -> Iterator[str]:
    """All text that is meant to be read, in its order."""
    if isinstance(value, str):
        yield value
    elif depth < _DEEPEST and isinstance(value, Sequence):
        for one in value:
            yield from _strings(one, depth + 1)
    elif depth < _DEEPEST and isinstance(value, dict):
        for name in _TEXTS:
            yield from _strings(value.get(name), depth + 1)


def _text(answer: bytes) -> str:
    """What an answer says: of a stream, its pieces put together."""
    if answer.lstrip()[:1] in (b"{", b"["):
        return "".join(_told(_json(answer), 0))
    lines = [line[6:] for line in answer.splitlines() if line.startswith(b"data: {")]
    return "".join(text for line in lines for text in _told(_json(line), 0))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _told(value: Any, depth: int) -> Iterator[str]:
    """What one event, or a whole answer, adds to the text."""
    if isinstance(value, list) and depth < _DEEPEST:
        for one in value:
            yield from _told(one, depth + 1)
    if not isinstance(value, dict) or depth >= _DEEPEST or _is_repetition(value):
        return
    for name in dict.fromkeys((*_TEXTS, *_WITHIN)):
        found = value.get(name)
        if isinstance(found, str) and name in _TEXTS:
            yield found
        elif name in _WITHIN:
            yield from _told(found, depth + 1)


def _is_repetition(event: dict[str, Any]) -> bool:
    """Does this event of /v1/responses say what its pieces have said already?"""
    kind = event.get("type")
    return isinstance(kind, str) and kind.startswith("response.") and not kind.endswith(".delta")


def _clean(text: str, *, from_end: bool = False) -> str:
    """Without secrets, then cut."""
    clean = redact(text[-_ROOM:] if from_end else text[:_ROOM])
    clean = clean.encode("utf-8", "replace").decode()
    if len(text) <= _ROOM and len(clean) <= LONGEST:
        return clean
    return _CUT + clean[-LONGEST:] if from_end else clean[:LONGEST] + _CUT
