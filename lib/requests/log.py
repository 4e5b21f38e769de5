"""The log of requests: rows of berth.db for 30 days; without what was said.

Written by a thread after the answer, what came together at once. What cannot be written is told
once and tried again with the next; beyond MOST_WAITING it is lost.
"""

import sqlite3
import time
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from lib.core import database
from lib.core.access import Action, require
from lib.core.database import ToldOnce
from lib.core.errors import BerthError
from lib.core.names import shown
from lib.core.rate import Rate
from lib.core.redact import redact
from lib.core.values import Frozen
from lib.core.writer import Writer
from lib.requests import content
from lib.requests.content import Said

KEPT_DAYS = 30
MOST_ROWS = 100_000  # about 20 MB
MOST_WAITING = 2_000
MOST_SAID_WAITING = 32  # of those, with what was said; each may be 256 KiB
FAILURES_A_MINUTE = (
    120  # that no engine saw, of one sender; who floods us shall not push out others
)
MOST_TOKENS = 2**40  # of one answer; an engine may tell anything
LONGEST_NAME = 256
LONGEST_CODE = 64
MOST_AT_ONCE = 500
MOST_NAMES = 200  # to choose from
SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, key TEXT NOT NULL,
    who TEXT NOT NULL, model TEXT NOT NULL, route TEXT NOT NULL, prompt INTEGER NOT NULL,
    reply INTEGER NOT NULL, first REAL, seconds REAL NOT NULL, outcome TEXT NOT NULL,
    status INTEGER NOT NULL, code TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (at);
CREATE INDEX IF NOT EXISTS requests_by_sender ON requests (key, who);
CREATE INDEX IF NOT EXISTS requests_by_model ON requests (model);
CREATE INDEX IF NOT EXISTS requests_by_outcome ON requests (outcome);
"""
ADD = "INSERT INTO requests VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SENDERS = "SELECT DISTINCT key, who FROM requests ORDER BY who, key LIMIT ?"
_MODELS = "SELECT DISTINCT model FROM requests WHERE model != '' ORDER BY model LIMIT ?"
_Name = Annotated[str, Field(max_length=LONGEST_NAME)]
_Time = Annotated[float, Field(allow_inf_nan=False)]
_All = SkipJsonSchema[None]  # what is left out chooses nothing; a query cannot say null


class Outcome(StrEnum):
    """How a request ended."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "client left"
    STOPPED = "stopped by the owner"


class Entry(NamedTuple):
    """One request that is over."""

    id: str
    at: float  # epoch seconds when it came
    key: str  # the id of an API key; "" without one
    who: str
    model: str
    route: str
    prompt: int  # tokens
    reply: int  # tokens
    first: float | None  # seconds until the first piece; None where it came at once, or not at all
    seconds: float
    outcome: Outcome
    status: int  # HTTP; 0 where the client got none
    code: str  # of an error
    said: Said | None = None


class Row(NamedTuple):
    """One line of the log; `number` is larger than those of before."""

    number: int
    id: str
    at: float
    key: str
    who: str
    model: str
    route: str
    prompt: int
    reply: int
    first: float | None
    seconds: float
    outcome: Outcome
    status: int
    code: str


class Filter(Frozen):
    """Which requests; None is every one. Times are epoch seconds."""

    key: _Name | _All = None
    who: _Name | _All = None
    model: _Name | _All = None
    outcome: Outcome | _All = None
    since: _Time | _All = None
    until: _Time | _All = None

    def chosen(self) -> "Filter":
        """Of a query that asks for more, the choice alone."""
        return Filter(**{name: getattr(self, name) for name in Filter.model_fields})

    def where(self) -> tuple[str, tuple[Any, ...]]:
        """The same for SQL: the condition and its values."""
        sides = {"since": "at >= ?", "until": "at < ?"}
        given = self.model_dump(exclude_none=True, mode="json")
        parts = [sides.get(name, f"{name} = ?") for name in given]
        return " AND ".join(parts) or "1", tuple(given.values())


_FAILURES = Rate(60.0)
_WRITING = ToldOnce("the log of requests cannot be kept")
_READING = ToldOnce("the log of requests cannot be read")


def note(entry: Entry) -> None:
    """It is over; never waits, never raises."""
    if not _is_room(entry):
        return
    if len(_WRITER) >= MOST_SAID_WAITING:
        entry = entry._replace(said=None)
    _WRITER.add(entry)


def refused(route: str, error: BerthError) -> None:
    """Somebody was not let in at all."""
    note(
        Entry(
            id="",
            at=time.time(),
            key="",
            who="",
            model="",
            route=route,
            prompt=0,
            reply=0,
            first=None,
            seconds=0.0,
            outcome=Outcome.FAILED,
            status=error.status,
            code=error.code,
        )
    )


def settle(seconds: float = 5.0) -> None:
    """Return when what was noted is written."""
    _WRITER.settle(seconds)


def page(chosen: Filter, before: int | None = None, limit: int = 50) -> list[Row]:
    """So many, the newest first, of those with a number below `before`. For the owner."""
    require(Action.REQUESTS)
    condition, values = chosen.where()
    if before is not None:
        condition, values = f"number < ? AND {condition}", (before, *values)
    query = f"SELECT * FROM requests WHERE {condition} ORDER BY number DESC LIMIT ?"  # noqa: S608
    found = safely(query, (*values, min(limit, MOST_AT_ONCE)))
    return [Row._make((*row[:11], Outcome(row[11]), *row[12:])) for row in found]


def senders() -> list[tuple[str, str]]:
    """Key and name of everybody who has asked. For the owner."""
    require(Action.REQUESTS)
    return [(key, who) for key, who in safely(_SENDERS, (MOST_NAMES,))]


def models() -> list[str]:
    """Every model that was asked for. For the owner."""
    require(Action.REQUESTS)
    return [model for (model,) in safely(_MODELS, (MOST_NAMES,))]


def safely(query: str, values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
    """What is found; nothing where there is no file, or it cannot be read."""
    version = database.version()
    if version == (0, 0):
        return ()
    try:
        found = _rows(version, query, values)
    except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
        _READING.wrong(error)
        return ()
    _READING.well()
    return found


@lru_cache(maxsize=32)
def _rows(_version: tuple[int, int], query: str, values: tuple[Any, ...]) -> list[Any]:
    """Read again only when something was written: pages look every few seconds."""
    with database.opened(SCHEMA) as file:
        return file.execute(query, values).fetchall()


def _is_room(entry: Entry) -> bool:
    """Is it worth a row? Of what no engine saw, and one sender sends, not more than so many."""
    if entry.outcome != Outcome.FAILED or entry.first is not None or entry.reply:
        return True
    sender = f"{entry.key} {entry.who}"
    if _FAILURES.lately(sender) >= FAILURES_A_MINUTE:
        return False
    _FAILURES.count(sender)
    return True


def _kept(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Write them down; those that may still be written another time come back, without words."""
    try:
        with database.opened(SCHEMA + content.SCHEMA) as file:
            file.executemany(ADD, [values_of(one) for one in entries])
            _tidy(file)
            if said := [(one.id, one.at, one.said) for one in entries if one.said]:
                content.write(file, said)
    except sqlite3.OperationalError as error:  # locked, full, or not to be written
        _WRITING.wrong(error)
        return [one._replace(said=None) for one in entries]
    except (sqlite3.Error, OSError, ValueError) as error:
        _WRITING.wrong(error)
    else:
        _WRITING.well()
        _rows.cache_clear()  # the file's own time may be too coarse to tell
    return ()


def values_of(one: Entry) -> tuple[Any, ...]:
    """The row, in bounds: names come from strangers, figures from engines."""
    counts = [min(max(0, number), MOST_TOKENS) for number in (one.prompt, one.reply)]
    # A program may name anything as its model, and its own key by mistake.
    told = one.key, one.who, redact(one.model, ()), redact(one.route, ())
    names = [shown(name, LONGEST_NAME) for name in told]
    names = [name.encode("utf-8", "replace").decode() for name in names]
    code = shown(one.code, LONGEST_CODE).encode("utf-8", "replace").decode()
    ended = (one.first, one.seconds, one.outcome, one.status, code)
    return (one.id, one.at, *names, *counts, *ended)


def _tidy(file: sqlite3.Connection) -> None:
    """Drop what is too old or too much; both are looked up, not searched for."""
    file.execute("DELETE FROM requests WHERE at < ?", (time.time() - KEPT_DAYS * 86_400,))
    newest = "SELECT max(number) FROM requests"
    file.execute(f"DELETE FROM requests WHERE number <= ({newest}) - ?", (MOST_ROWS,))  # noqa: S608
    content.tidy(file)


_WRITER: Writer[Entry] = Writer("requests", _kept, lambda: MOST_WAITING)
