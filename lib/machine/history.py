"""How busy the machine has been: rows of berth.db, for a day a minute apart, coarser for a week.

About 2,000 rows: 0.2 MB, with eight cards 1.5 MB. Of several dashboards of a home one writes. What
cannot be written is told once in the log, and is missing then.
"""

import contextlib
import json
import os
import sqlite3
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lib.core import database, locks
from lib.core.database import ToldOnce
from lib.core.files import make_private
from lib.core.settings import settings
from lib.machine.sampler import CardUse, Sample

FINE_SECONDS, COARSE_SECONDS = 60, 900
FINE_KEPT_SECONDS, KEPT_SECONDS = 86_400, 7 * 86_400
POINTS = 120  # of a chart
SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    span INTEGER NOT NULL, at REAL NOT NULL, cpu REAL NOT NULL, used INTEGER NOT NULL,
    available INTEGER NOT NULL, disk INTEGER NOT NULL, received REAL NOT NULL, sent REAL NOT NULL,
    cards TEXT NOT NULL, PRIMARY KEY (span, at)
) WITHOUT ROWID;
"""
_ADD = """
INSERT OR REPLACE INTO usage
(span, at, cpu, used, available, received, sent, read, written, swap, disk, cards)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# In SQLite the other columns are those of the row that has the largest `at`.
_GROUPED = """
SELECT max(at), avg(cpu), avg(used), avg(available), avg(received), avg(sent), avg(read),
avg(written), avg(swap), disk, cards
FROM usage WHERE span = ? AND at >= ? AND at < ? GROUP BY CAST(at / ? AS INTEGER) ORDER BY at
"""
_ALTER = {  # what older files lack
    "read": "ALTER TABLE usage ADD COLUMN read REAL",
    "written": "ALTER TABLE usage ADD COLUMN written REAL",
    "swap": "ALTER TABLE usage ADD COLUMN swap INTEGER",
}


class Recorder:
    """Takes samples, and keeps their means unless another dashboard of this home does so."""

    def __init__(self) -> None:
        self._waiting: list[Sample] = []
        self._turn = _Turn()

    def add(self, sample: Sample) -> None:
        """One more; never raises."""
        begun = self._waiting[0].at if self._waiting else sample.at
        if _minute(sample.at) != _minute(begun):
            waiting, self._waiting = self._waiting, []
            self._write(mean(waiting))
        self._waiting.append(sample)

    def close(self) -> None:
        """Leave the writing to others."""
        self._turn.end()

    def _write(self, sample: Sample) -> None:
        try:
            if self._turn.is_ours():
                _keep(sample)
        except (sqlite3.Error, OSError) as error:
            _KEEPING.wrong(error)
        else:
            _KEEPING.well()


_KEEPING, _READING = ToldOnce("usage cannot be kept"), ToldOnce("usage cannot be read")


class _Turn:
    """Whose turn it is to write, among the dashboards of a home: the first one's, while it runs."""

    def __init__(self) -> None:
        self._handle: int | None = None

    def is_ours(self) -> bool:
        """Take it where nobody has it; OSError where the home cannot be written."""
        if self._handle is None:
            path = make_private(settings().home) / "usage.lock"
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if locks.take(handle, path):
                self._handle = handle
            else:
                os.close(handle)
        return self._handle is not None

    def end(self) -> None:
        """Let another one have it."""
        if self._handle is not None:
            locks.give_back(self._handle)
            os.close(self._handle)
            self._handle = None


def read(seconds: float, now: float | None = None) -> list[Sample]:
    """The last so many seconds, oldest first, as POINTS means at most; none where unreadable."""
    if database.version() == (0, 0):
        return []
    now = time.time() if now is None else now
    span = FINE_SECONDS if seconds <= FINE_KEPT_SECONDS else COARSE_SECONDS
    asked = (span, now - seconds, now, max(span, seconds / POINTS))
    try:
        with _opened() as rows:
            found = [_sample(row) for row in rows.execute(_GROUPED, asked)]
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        _READING.wrong(error)
        return []
    _READING.well()
    return found


def mean(samples: Sequence[Sample]) -> Sample:
    """One for all of these; of the disk's room and of cards as the last saw them."""
    last = samples[-1]
    return last.model_copy(
        update={
            "cpu_percent": statistics.fmean(s.cpu_percent for s in samples),
            "memory_used_bytes": round(statistics.fmean(s.memory_used_bytes for s in samples)),
            "memory_available_bytes": round(
                statistics.fmean(s.memory_available_bytes for s in samples)
            ),
            "received_bytes_per_second": statistics.fmean(
                s.received_bytes_per_second for s in samples
            ),
            "sent_bytes_per_second": statistics.fmean(s.sent_bytes_per_second for s in samples),
            "read_bytes_per_second": _mean(s.read_bytes_per_second for s in samples),
            "written_bytes_per_second": _mean(s.written_bytes_per_second for s in samples),
            "swap_used_bytes": _whole(_mean(s.swap_used_bytes for s in samples)),
        }
    )


def _mean(figures: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    known = [figure for figure in figures if figure is not None]
    return statistics.fmean(known) if known else None


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


@contextlib.contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    """berth.db with all columns, also where an older Berth has begun it."""
    with database.opened(SCHEMA) as rows:
        there = {column[1] for column in rows.execute("PRAGMA table_info(usage)")}
        for name in _ALTER.keys() - there:
            rows.execute(_ALTER[name])
        yield rows


def _keep(sample: Sample) -> None:
    with _opened() as rows:
        rows.execute(_ADD, (FINE_SECONDS, *_row(sample)))
        end = sample.at // COARSE_SECONDS * COARSE_SECONDS
        asked = (FINE_SECONDS, end - COARSE_SECONDS, end, COARSE_SECONDS)
        is_there = "SELECT 1 FROM usage WHERE span = ? AND at >= ? AND at < ?"
        if not rows.execute(is_there, (COARSE_SECONDS, *asked[1:3])).fetchone():
            coarse = rows.execute(_GROUPED, asked).fetchall()
            rows.executemany(_ADD, [(COARSE_SECONDS, *row) for row in coarse])
        for span, kept in ((FINE_SECONDS, FINE_KEPT_SECONDS), (COARSE_SECONDS, KEPT_SECONDS)):
            rows.execute("DELETE FROM usage WHERE span = ? AND at < ?", (span, sample.at - kept))


def _row(sample: Sample) -> tuple[float | int | str | None, ...]:
    """In the order of _ADD, after the span."""
    return (
        sample.at,
        sample.cpu_percent,
        sample.memory_used_bytes,
        sample.memory_available_bytes,
        sample.received_bytes_per_second,
        sample.sent_bytes_per_second,
        sample.read_bytes_per_second,
        sample.written_bytes_per_second,
        sample.swap_used_bytes,
        sample.disk_free_bytes,
        json.dumps(sample.cards),
    )


def _sample(row: tuple[Any, ...]) -> Sample:
    """From the same order."""
    at, cpu, used, available, received, sent, read, written, swap, disk, cards = row
    return Sample(
        at=at,
        cpu_percent=cpu,
        memory_used_bytes=round(used),
        memory_available_bytes=round(available),
        disk_free_bytes=disk,
        received_bytes_per_second=received,
        sent_bytes_per_second=sent,
        read_bytes_per_second=read,
        written_bytes_per_second=written,
        swap_used_bytes=_whole(swap),
        cards=tuple(CardUse(*card) for card in json.loads(cards)),
    )


def _minute(at: float) -> int:
    return int(at // FINE_SECONDS)
