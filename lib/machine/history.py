"""How busy the machine has been: rows of berth.db, for a day a minute apart, coarser for a week.

About 2,000 rows, 300 KB. What cannot be written is told once in the log, and is missing then.
"""

import json
import logging
import sqlite3
import statistics
import time
from collections.abc import Sequence

from lib.core import database
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
_ADD = "INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# In SQLite the other columns are those of the row that has the largest `at`.
_GROUPED = """
SELECT max(at), avg(cpu), avg(used), avg(available), disk, avg(received), avg(sent), cards
FROM usage WHERE span = ? AND at >= ? AND at < ? GROUP BY CAST(at / ? AS INTEGER) ORDER BY at
"""
_log = logging.getLogger(__name__)


class Recorder:
    """Takes samples, and keeps their means."""

    def __init__(self) -> None:
        self._waiting: list[Sample] = []
        self._is_well = True

    def add(self, sample: Sample) -> None:
        """One more; never raises."""
        begun = self._waiting[0].at if self._waiting else sample.at
        if _minute(sample.at) != _minute(begun):
            waiting, self._waiting = self._waiting, []
            self._write(mean(waiting))
        self._waiting.append(sample)

    def _write(self, sample: Sample) -> None:
        try:
            _keep(sample)
        except (sqlite3.Error, OSError) as error:
            if self._is_well:
                _log.warning("usage cannot be kept: %s", error)
            self._is_well = False
        else:
            self._is_well = True


def read(seconds: float, now: float | None = None) -> list[Sample]:
    """The last so many seconds, oldest first, as POINTS means at most; none where unreadable."""
    now = time.time() if now is None else now
    span = FINE_SECONDS if seconds <= FINE_KEPT_SECONDS else COARSE_SECONDS
    asked = (span, now - seconds, now, max(span, seconds / POINTS))
    try:
        with database.opened(SCHEMA) as rows:
            return [_sample(row) for row in rows.execute(_GROUPED, asked)]
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        _log.warning("usage cannot be read: %s", error)
        return []


def mean(samples: Sequence[Sample]) -> Sample:
    """One for all of these; of the disk and of cards as the last saw them."""
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
        }
    )


def _keep(sample: Sample) -> None:
    with database.opened(SCHEMA) as rows:
        rows.execute(_ADD, (FINE_SECONDS, *_row(sample)))
        end = sample.at // COARSE_SECONDS * COARSE_SECONDS
        asked = (FINE_SECONDS, end - COARSE_SECONDS, end, COARSE_SECONDS)
        is_there = "SELECT 1 FROM usage WHERE span = ? AND at >= ? AND at < ?"
        if not rows.execute(is_there, (COARSE_SECONDS, *asked[1:3])).fetchone():
            coarse = rows.execute(_GROUPED, asked).fetchall()
            rows.executemany(_ADD, [(COARSE_SECONDS, *row) for row in coarse])
        for span, kept in ((FINE_SECONDS, FINE_KEPT_SECONDS), (COARSE_SECONDS, KEPT_SECONDS)):
            rows.execute("DELETE FROM usage WHERE span = ? AND at < ?", (span, sample.at - kept))


def _row(sample: Sample) -> tuple[float, float, int, int, int, float, float, str]:
    return (
        sample.at,
        sample.cpu_percent,
        sample.memory_used_bytes,
        sample.memory_available_bytes,
        sample.disk_free_bytes,
        sample.received_bytes_per_second,
        sample.sent_bytes_per_second,
        json.dumps(sample.cards),
    )


def _sample(row: tuple[float, float, float, float, int, float, float, str]) -> Sample:
    at, cpu, used, available, disk, received, sent, cards = row
    return Sample(
        at=at,
        cpu_percent=cpu,
        memory_used_bytes=round(used),
        memory_available_bytes=round(available),
        disk_free_bytes=disk,
        received_bytes_per_second=received,
        sent_bytes_per_second=sent,
        cards=tuple(CardUse(*card) for card in json.loads(cards)),
    )


def _minute(at: float) -> int:
    return int(at // FINE_SECONDS)
