"""What each API key has asked for: requests of the last minute, and tokens of the day.

Counted in memory, where a request is held against it; a thread of its own writes what came together
to berth.db, so that neither a restart nor kill -9 gives a key its day back.
"""

import math
import sqlite3
import threading
import time
from collections import defaultdict, deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from lib.core import database, words
from lib.core.database import ToldOnce
from lib.keys import place
from lib.keys.errors import NoTokensLeft, TooManyRequests
from lib.keys.key import Key

MINUTE_SECONDS = 60.0
GATHER_SECONDS = 0.5  # so long the writer waits for more: what kill -9 costs
AGAIN_SECONDS = 1.0  # after which a file that could not be read is tried again
KEPT_DAYS = 31
SCHEMA = """
CREATE TABLE IF NOT EXISTS api_key_days (
    id TEXT NOT NULL, day TEXT NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL,
    last_at REAL NOT NULL, PRIMARY KEY (id, day)
) WITHOUT ROWID;
"""
_ADD = """
INSERT INTO api_key_days VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
    tokens = tokens + excluded.tokens, last_at = max(last_at, excluded.last_at)
"""
_SUMS = """
SELECT id, sum(CASE day WHEN ? THEN requests ELSE 0 END),
    sum(CASE day WHEN ? THEN tokens ELSE 0 END), max(last_at)
FROM api_key_days GROUP BY id
"""


class Spent(NamedTuple):
    """What one key has had today; `last_at` is when it was used last, in epoch seconds, or 0."""

    requests: int = 0
    tokens: int = 0
    last_at: float = 0.0

    def and_more(self, more: "Spent") -> "Spent":
        """The sum."""
        requests, tokens = self.requests + more.requests, self.tokens + more.tokens
        return Spent(requests, tokens, max(self.last_at, more.last_at))


_Row = tuple[str, str]  # key and day


class _Book:
    """The sums of one berth.db, and what is still to be written there."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.day = _day(time.time())
        self.sums: dict[str, Spent] = {}
        self.is_read = False
        self.read_at = -math.inf  # on the monotonic clock
        self.waiting: defaultdict[_Row, Spent] = defaultdict(Spent)
        self.thread: threading.Thread | None = None

    def read(self) -> None:
        """What stands in the file, and what does not yet."""
        self.read_at = time.monotonic()
        found = _read(self.day)
        if found is None:
            return
        self.is_read = True
        for (key_id, day), spent in self.waiting.items():
            if day == self.day:
                found[key_id] = found.get(key_id, Spent()).and_more(spent)
        self.sums = found

    def add(self, key_id: str, more: Spent) -> None:
        """Count it, in memory, for today."""
        day = _day(more.last_at)
        if day != self.day:
            self.day = day
            self.sums = {one: Spent(last_at=sum_.last_at) for one, sum_ in self.sums.items()}
        self.sums[key_id] = self.sums.get(key_id, Spent()).and_more(more)
        self.waiting[key_id, day] = self.waiting[key_id, day].and_more(more)


_WRITING = ToldOnce("what API keys have used cannot be kept")
_READING = ToldOnce("what API keys have used cannot be read")
_book: _Book | None = None
_lately: defaultdict[str, deque[float]] = defaultdict(deque)  # moments on the monotonic clock
_lock = threading.Lock()
_hurry = threading.Event()


def look() -> None:
    """Know what was used before this process began; may wait for the disk, the first time."""
    with _lock:
        _opened()


def is_known() -> bool:
    """Was it looked at, so that nothing here waits?"""
    book = _book
    return book is not None and book.file == place.file() and not _is_due(book)


def _is_due(book: _Book) -> bool:
    return not book.is_read and time.monotonic() - book.read_at >= AGAIN_SECONDS


def admit(key: Key) -> None:
    """Count one more request; TooManyRequests or NoTokensLeft where the key may not make it."""
    with _lock:
        book, now = _opened(), time.time()
        _check_tokens(key, book, now)
        _check_rate(key)
        book.add(key.id, Spent(1, 0, now))
        _begin_writing(book)


def note(key_id: str, tokens: int) -> None:
    """So many tokens were read and written with it; never waits, never raises."""
    if key_id and tokens > 0:
        with _lock:
            book = _opened()
            book.add(key_id, Spent(0, tokens, time.time()))
            _begin_writing(book)


def today(key_id: str) -> Spent:
    """What it has had today, this moment included."""
    with _lock:
        book = _opened()
        found = book.sums.get(key_id, Spent())
        return found if book.day == _day(time.time()) else Spent(last_at=found.last_at)


def forget(key_id: str) -> None:
    """The key is gone; its days are written no more."""
    with _lock:
        book = _opened()
        book.sums.pop(key_id, None)
        _lately.pop(key_id, None)


def settle(seconds: float = 5.0) -> None:
    """Return when what was noted is written."""
    _hurry.set()
    if _book and (thread := _book.thread):
        thread.join(seconds)


def _check_tokens(key: Key, book: _Book, now: float) -> None:
    used = book.sums.get(key.id, Spent()).tokens if book.day == _day(now) else 0
    if key.tokens_a_day is None or used < key.tokens_a_day:
        return
    left = _until_midnight(now)
    raise NoTokensLeft(
        f"The key “{key.name}” has used {used:,} tokens today; it may use {key.tokens_a_day:,}.",
        f"It may again after midnight, in {words.duration(left)}, or when its owner allows more.",
        left,
    )


def _check_rate(key: Key) -> None:
    """Count it where there is a limit, unless that is reached."""
    if key.per_minute is None:
        return
    times, now = _lately[key.id], time.monotonic()
    while times and times[0] <= now - MINUTE_SECONDS:
        times.popleft()
    if len(times) >= key.per_minute:
        # One more may come when so many have left the minute that a place is free.
        wait = times[len(times) - key.per_minute] + MINUTE_SECONDS - now
        often = words.count(key.per_minute, "request")
        raise TooManyRequests(
            f"The key “{key.name}” has made the {often} that it may make in a minute.",
            f"Try again in {words.duration(max(1.0, wait))}.",
            wait,
        )
    times.append(now)


def _opened() -> _Book:
    """The book of this BERTH_HOME; with the lock."""
    global _book
    file = place.file()
    if _book is None or _book.file != file:
        _book = _Book(file)
    if _is_due(_book):
        _book.read()
    return _book


def _read(day: str) -> dict[str, Spent] | None:
    try:
        if database.version() == (0, 0):
            return {}
        with database.opened(SCHEMA) as file:
            found = {row[0]: Spent(*row[1:]) for row in file.execute(_SUMS, (day, day))}
    except (sqlite3.Error, OSError, ValueError) as error:
        _READING.wrong(error)
        return None
    _READING.well()
    return found


def _begin_writing(book: _Book) -> None:
    if book.thread is None:
        _hurry.clear()
        book.thread = threading.Thread(target=_write, args=(book,), name="keys-spent", daemon=True)
        try:
            book.thread.start()
        except RuntimeError:  # none can be started: the next note tries
            book.thread = None


def _write(book: _Book) -> None:
    """Write what waits until nothing does; what cannot be written now goes with the next."""
    while True:
        _hurry.wait(GATHER_SECONDS)
        with _lock:
            taken, book.waiting = book.waiting, defaultdict(Spent)
        is_kept = _kept(book.file, taken)
        with _lock:
            if not is_kept:
                for row, spent in taken.items():
                    book.waiting[row] = book.waiting[row].and_more(spent)
            if not is_kept or not book.waiting:
                book.thread = None
                return


def _kept(file: Path, taken: dict[_Row, Spent]) -> bool:
    """Could it be written? What belongs to another BERTH_HOME by now is dropped."""
    if file != place.file():
        return True
    oldest = _day(time.time() - KEPT_DAYS * 86_400)
    try:
        with database.opened(SCHEMA) as rows:
            rows.executemany(_ADD, [(*row, *spent) for row, spent in taken.items()])
            rows.execute("DELETE FROM api_key_days WHERE day < ?", (oldest,))
    except (sqlite3.Error, OSError, ValueError) as error:
        _WRITING.wrong(error)
        return False
    _WRITING.well()
    return True


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment).date().isoformat()


def _until_midnight(now: float) -> float:
    begun = datetime.fromtimestamp(now)
    midnight = datetime(begun.year, begun.month, begun.day) + timedelta(days=1)
    return midnight.timestamp() - now
