"""Who asked how much of which model: sums in berth.db, for 30 days; never what was said.

A row is a minute of one model and one person, after two days a quarter of an hour. Whoever notes
something does not wait for the disk: a thread of its own writes what came together. What cannot be
written is told once in the log and tried again with the next; beyond MOST_WAITING it is lost.
"""

import math
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from lib.core import activity, database
from lib.core.database import ToldOnce
from lib.core.names import shown
from lib.core.writer import Writer
from lib.engines.base import Usage

PROGRAM = activity.PROGRAM  # who asked over the gateway
FINE_SECONDS, COARSE_SECONDS = 60, 900
FINE_KEPT_SECONDS, KEPT_SECONDS = 2 * 86_400, 30 * 86_400
MOST_ROWS = 100_000  # about 10 MB
MOST_NAMES = 10_000  # of models
MOST_WAITING = 2_000
MOST_TOKENS = 2**40  # of one answer; an engine may tell anything
LONGEST_NAME = 256
FRESH_SECONDS = 1.0  # so long nobody looks whether another process has written
POINTS, LINES = 60, 6  # of a chart of speeds
SCHEMA = """
CREATE TABLE IF NOT EXISTS served (
    at INTEGER NOT NULL, engine TEXT NOT NULL, model TEXT NOT NULL, who TEXT NOT NULL,
    requests INTEGER NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL, speed REAL,
    PRIMARY KEY (at, engine, model, who)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served_last (
    engine TEXT NOT NULL, model TEXT NOT NULL, at REAL NOT NULL, speed REAL,
    PRIMARY KEY (engine, model)
) WITHOUT ROWID;
"""
_ONTO = """
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
    prompt = prompt + excluded.prompt, completion = completion + excluded.completion,
    speed = coalesce(excluded.speed, speed)
"""
_ADD = f"INSERT INTO served VALUES (?, ?, ?, ?, 1, ?, ?, ?) {_ONTO}"  # noqa: S608
_LAST = """
INSERT INTO served_last VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET at = excluded.at, speed = coalesce(excluded.speed, speed)
"""
_MERGE = f"""
INSERT INTO served
SELECT at / {COARSE_SECONDS} * {COARSE_SECONDS} AS begun, engine, model, who, sum(requests),
    sum(prompt), sum(completion), avg(speed)
FROM served WHERE at < ? AND at % {COARSE_SECONDS} GROUP BY begun, engine, model, who {_ONTO}
"""  # noqa: S608
_DROP_MERGED = f"DELETE FROM served WHERE at < ? AND at % {COARSE_SECONDS}"  # noqa: S608
_TODAY = """
SELECT who, sum(requests), sum(prompt), sum(completion) FROM served
WHERE at >= ? AND at < ? GROUP BY who ORDER BY sum(requests) DESC, who
"""
_MINUTES = """
SELECT engine, model, at, sum(completion) FROM served
WHERE at >= ? AND at < ? GROUP BY engine, model, at
"""
_SPEEDS = """
WITH told AS (SELECT * FROM served WHERE at >= ? AND at < ? AND speed IS NOT NULL)
SELECT max(at), model, avg(speed) FROM told
WHERE model IN (SELECT model FROM told GROUP BY model ORDER BY sum(completion) DESC LIMIT ?)
GROUP BY at / ?, model ORDER BY 1, 2
"""
_Found = TypeVar("_Found")


class Share(NamedTuple):
    """What one person asked for; tokens read and written."""

    requests: int
    tokens: int


class Today(NamedTuple):
    """All since midnight; `by` has whom activity would name, and PROGRAM, the busiest first."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    by: Mapping[str, Share]

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.completion_tokens


class _Answered(NamedTuple):
    at: float
    engine: str
    model: str
    who: str
    prompt: int
    completion: int
    speed: float | None


class _Last(NamedTuple):
    at: float
    speed: float | None


class _Looked(NamedTuple):
    at: float  # on the monotonic clock
    version: tuple[int, int]  # of the file; (0, 0) where there is none


_WRITING = ToldOnce("what was served cannot be kept")
_READING = ToldOnce("what was served cannot be read")
_NEVER = _Looked(-math.inf, (0, 0))
_looked = _NEVER


def note(engine: str, model: str, usage: Usage, who: str | None = None) -> None:
    """One request was answered, as far as `usage` says; never waits, never raises."""
    by = activity.who_acts() if who is None else who
    names = [shown(name, LONGEST_NAME) for name in (engine, model, by)]
    counts = [min(max(0, n), MOST_TOKENS) for n in (usage.prompt_tokens, usage.completion_tokens)]
    speed = usage.tokens_per_second
    told = speed if speed and math.isfinite(speed) and speed > 0 else None
    _WRITER.add(_Answered(time.time(), names[0], names[1], names[2], counts[0], counts[1], told))


def settle(seconds: float = 5.0) -> None:
    """Return when what was noted is written; what is read next is read anew."""
    _WRITER.settle(seconds)
    _forget()


def today(now: float | None = None) -> Today:
    """What was answered since the last local midnight."""
    midnight = datetime.fromtimestamp(time.time() if now is None else now).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    asked = (midnight.timestamp(), (midnight + timedelta(days=1)).timestamp())
    rows = _safely(_rows, _TODAY, asked) or []
    by = {who: Share(requests, prompt + said) for who, requests, prompt, said in rows}
    return Today(sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows), by)


def asked_by() -> frozenset[str]:
    """Everybody who has asked anything in 30 days, as activity would name them, and PROGRAM."""
    rows = _safely(_rows, "SELECT DISTINCT who FROM served", ())
    return frozenset(who for (who,) in rows or ())


def last_speed(engine: str, model: str) -> float | None:
    """Tokens a second of the last answer that told it; None where none has in 30 days."""
    found = (_safely(_all_last) or {}).get((engine, model))
    return found.speed if found else None


def last_used(engine: str, model: str) -> float | None:
    """When it answered last, in epoch seconds; None where it has not in 30 days."""
    found = (_safely(_all_last) or {}).get((engine, model))
    return found.at if found else None


def speeds(seconds: float, now: float | None = None) -> list[tuple[float, str, float]]:
    """When, model, tokens a second: the last so many seconds, oldest first.

    POINTS of each of the LINES models that wrote most.
    """
    end = _next_minute(time.time() if now is None else now)
    step = max(FINE_SECONDS, math.ceil(seconds / POINTS))
    return [*(_safely(_rows, _SPEEDS, (end - seconds, end, LINES, step)) or ())]


def per_minute(engine: str, model: str, minutes: int) -> list[int]:
    """Tokens it wrote in each of the last so many minutes; the last one is under way."""
    end = _next_minute(time.time())
    begin = end - minutes * FINE_SECONDS
    found = (_safely(_all_minutes, begin, end) or {}).get((engine, model), {})
    return [found.get(at, 0) for at in range(begin, end, FINE_SECONDS)]


def _kept(rows: Sequence[_Answered]) -> Sequence[_Answered]:
    """Write them; those that may be written later."""
    try:
        with database.opened(SCHEMA) as file:
            _write(file, rows)
    except sqlite3.OperationalError as error:  # locked, full, or not to be written
        _WRITING.wrong(error)
        return rows
    except (sqlite3.Error, OSError, ValueError) as error:
        _WRITING.wrong(error)
    else:
        _WRITING.well()
        _forget()
    return ()


def _write(file: sqlite3.Connection, rows: Sequence[_Answered]) -> None:
    now = time.time()
    quarter = now // COARSE_SECONDS * COARSE_SECONDS
    lately = "SELECT 1 FROM served WHERE at BETWEEN ? AND ? LIMIT 1"
    if not file.execute(lately, (quarter, now)).fetchone():
        _tidy(file, now)
    file.executemany(_ADD, [(int(r.at // FINE_SECONDS) * FINE_SECONDS, *r[1:]) for r in rows])
    file.executemany(_LAST, [(r.engine, r.model, r.at, r.speed) for r in rows])


def _tidy(file: sqlite3.Connection, now: float) -> None:
    """Once a quarter of an hour: merge what is old, drop what is too old or too much."""
    merged = ((now - FINE_KEPT_SECONDS) // COARSE_SECONDS * COARSE_SECONDS,)
    file.execute(_MERGE, merged)
    file.execute(_DROP_MERGED, merged)
    for table, most in (("served", MOST_ROWS), ("served_last", MOST_NAMES)):
        oldest = f"SELECT at FROM {table} ORDER BY at DESC LIMIT 1 OFFSET ?"  # noqa: S608
        file.execute(f"DELETE FROM {table} WHERE at <= ({oldest})", (most,))  # noqa: S608
        file.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT_SECONDS,))  # noqa: S608


def _safely(read: Callable[..., _Found], *asked: Any) -> _Found | None:
    """What `read` finds in the file as it is; None where there is none, or it cannot be read.

    A page asks for many models: the file is looked at, or waited for, once a second.
    """
    global _looked
    now = time.monotonic()
    if now - _looked.at >= FRESH_SECONDS:
        _looked = _Looked(now, database.version())
    if _looked.version == (0, 0):
        return None
    try:
        found = read(_looked.version, *asked)
    except (sqlite3.Error, OSError, ValueError) as error:
        _READING.wrong(error)
        _looked = _Looked(time.monotonic(), (0, 0))
        return None
    _READING.well()
    return found


def _forget() -> None:
    """What was read holds no longer; the file's own time may be too coarse to tell."""
    global _looked
    _looked = _NEVER
    for cached in (_rows, _all_last, _all_minutes):
        cached.cache_clear()


@lru_cache(maxsize=16)
def _rows(_version: tuple[int, int], query: str, asked: tuple[float, ...]) -> list[Any]:
    with database.opened(SCHEMA) as file:
        return file.execute(query, asked).fetchall()


@lru_cache(maxsize=2)
def _all_last(version: tuple[int, int]) -> Mapping[tuple[str, str], _Last]:
    rows = _rows(version, "SELECT engine, model, at, speed FROM served_last", ())
    return {(engine, model): _Last(at, speed) for engine, model, at, speed in rows}


@lru_cache(maxsize=4)
def _all_minutes(
    version: tuple[int, int], begin: int, end: int
) -> Mapping[tuple[str, str], Mapping[int, int]]:
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for engine, model, at, tokens in _rows(version, _MINUTES, (begin, end)):
        found[engine, model][at] = tokens
    return found


def _next_minute(now: float) -> int:
    return (int(now // FINE_SECONDS) + 1) * FINE_SECONDS


# At the end: it needs to know how rows are kept.
_WRITER = Writer("served", _kept, lambda: MOST_WAITING)
