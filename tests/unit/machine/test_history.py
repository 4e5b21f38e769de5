"""What is kept of how busy the machine was: means, for a day by the minute, coarser for a week."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core import database
from lib.machine import history
from lib.machine.history import COARSE_SECONDS, FINE_SECONDS, POINTS, Recorder, read
from lib.machine.sampler import CardUse, Sample

BEGIN = 1_700_000_100.0 // COARSE_SECONDS * COARSE_SECONDS
HOUR, DAY = 3_600, 86_400


def sample(at: float, cpu: float = 10.0, used: int = 1_000) -> Sample:
    return Sample(
        at=at,
        cpu_percent=cpu,
        memory_used_bytes=used,
        memory_available_bytes=5_000,
        disk_free_bytes=7,
        received_bytes_per_second=1.0,
        sent_bytes_per_second=2.0,
        read_bytes_per_second=used / 2,
        written_bytes_per_second=4.0,
        swap_used_bytes=used + 1,
        cards=(CardUse("gpu-1", 50.0, 123), CardUse("gpu-2", None, None)),
    )


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as one:
        yield one


def test_a_minute_becomes_its_mean(recorder: Recorder) -> None:
    for second in range(0, 60, 2):
        recorder.add(sample(BEGIN + second, cpu=second, used=second * 100))
    assert read(DAY, BEGIN + 60) == []
    recorder.add(sample(BEGIN + 60))
    [kept] = read(DAY, BEGIN + 60)
    assert kept.cpu_percent == pytest.approx(29)
    assert kept.memory_used_bytes == 2_900
    assert kept.disk_free_bytes == 7
    assert (kept.read_bytes_per_second, kept.written_bytes_per_second) == (1_450, 4.0)
    assert kept.swap_used_bytes == 2_901
    assert kept.cards == (CardUse("gpu-1", 50.0, 123), CardUse("gpu-2", None, None))


def recorded(hours: float) -> float:
    """Sampled once a minute for so long; the time of the last."""
    at = BEGIN
    with recording() as recorder:
        for minute in range(int(hours * 60)):
            at = BEGIN + minute * FINE_SECONDS
            recorder.add(sample(at, cpu=minute % 100))
    return at


def test_a_day_and_a_week_have_few_points_in_order(home: Path) -> None:
    at = recorded(30)
    day, week = read(DAY, at), read(7 * DAY, at)
    for found, least in ((day, 100), (week, 20)):  # of the week there are 30 hours
        assert least < len(found) <= POINTS + 1
        assert [s.at for s in found] == sorted(s.at for s in found)
    assert day[0].at >= at - DAY
    assert week[0].at <= BEGIN + 2 * 7 * DAY / POINTS
    assert sum(s.cpu_percent for s in day) / len(day) == pytest.approx(49.5, abs=3)


def test_what_is_older_than_it_is_kept_goes_and_the_file_stays_small(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FINE_KEPT_SECONDS", 3_600)
    monkeypatch.setattr(history, "KEPT_SECONDS", 2 * 3_600)
    recorded(6)
    with database.opened(history.SCHEMA) as rows:
        counts = dict(rows.execute("SELECT span, count(*) FROM usage GROUP BY span").fetchall())
    assert counts[FINE_SECONDS] <= 62
    assert counts[COARSE_SECONDS] <= 9
    assert database.path().stat().st_size < 100_000


def test_a_clock_that_is_set_back_shows_nothing_from_the_future(recorder: Recorder) -> None:
    for at in (BEGIN, BEGIN + 60, BEGIN - 3_600, BEGIN - 3_540, BEGIN - 3_480):
        recorder.add(sample(at))
    found = read(3_600, BEGIN - 3_480)
    assert [s.at for s in found] == [BEGIN - 3_600, BEGIN - 3_540]


def test_a_file_that_is_locked_or_damaged_stops_no_sampler(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    recorded(0.1)
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    recorded(0.1)
    assert read(DAY, BEGIN + 600) == []
    other.rollback()
    other.close()
    database.path().write_bytes(b"nonsense" * 500)
    recorded(0.1)
    assert len(read(3_600, BEGIN + 600)) == 5


def test_rows_that_nobody_understands_are_no_traceback_and_told_of_once(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(0.1)
    with database.opened(history.SCHEMA) as rows:
        rows.execute("UPDATE usage SET cards = 'x'")
    with caplog.at_level(logging.WARNING):
        assert [read(DAY, BEGIN + 600) for _ in range(3)] == [[]] * 3
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "usage cannot be read"
    ]


@pytest.fixture(autouse=True)
def _all_is_well() -> None:
    history._KEEPING.well()
    history._READING.well()


def test_what_nobody_counts_is_no_figure_and_no_nought(recorder: Recorder) -> None:
    untold = {"read_bytes_per_second": None, "swap_used_bytes": None}
    for minute in range(2):
        recorder.add(sample(BEGIN + minute * 60).model_copy(update=untold))
    [kept] = read(DAY, BEGIN + 60)
    assert (kept.read_bytes_per_second, kept.swap_used_bytes) == (None, None)
    assert kept.written_bytes_per_second == 4.0


OLD = """
CREATE TABLE usage (
    span INTEGER NOT NULL, at REAL NOT NULL, cpu REAL NOT NULL, used INTEGER NOT NULL,
    available INTEGER NOT NULL, disk INTEGER NOT NULL, received REAL NOT NULL, sent REAL NOT NULL,
    cards TEXT NOT NULL, PRIMARY KEY (span, at)
) WITHOUT ROWID;
"""


def test_a_file_of_an_older_berth_goes_on_with_what_it_has(recorder: Recorder) -> None:
    with database.opened(OLD) as rows:
        row = (60, BEGIN, 30.0, 1_000, 2_000, 7, 1.0, 2.0, '[["gpu-1", 50.0, 123]]')
        rows.execute("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    [old] = read(HOUR, BEGIN + 60)
    assert (old.cpu_percent, old.swap_used_bytes, old.cards) == (
        30.0,
        None,
        (CardUse("gpu-1", 50.0, 123),),
    )
    for minute in range(1, 3):
        recorder.add(sample(BEGIN + minute * 60))
    assert [kept.swap_used_bytes for kept in read(HOUR, BEGIN + 120)] == [None, 1_001]


def test_of_two_dashboards_one_writes_and_the_other_takes_over_where_it_ends(home: Path) -> None:
    with recording() as second:
        with recording() as first:
            for minute in range(3):
                first.add(sample(BEGIN + minute * 60, cpu=1))
                second.add(sample(BEGIN + minute * 60, cpu=2))
        second.add(sample(BEGIN + 180, cpu=2))
    found = read(HOUR, BEGIN + 240)
    assert [(kept.at - BEGIN, kept.cpu_percent) for kept in found] == [(0, 1), (60, 1), (120, 2)]


def test_a_home_that_cannot_be_written_is_told_of_once(
    home: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    home.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        for minute in range(4):
            recorder.add(sample(BEGIN + minute * 60))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "usage cannot be kept"
    ]
    home.unlink()
    for minute in range(4, 6):
        recorder.add(sample(BEGIN + minute * 60))
    assert [kept.at - BEGIN for kept in read(HOUR, BEGIN + 300)] == [180, 240]


def test_a_full_disk_is_told_of_once_and_writing_goes_on_when_there_is_room(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of so many pages at most refuses as a full disk does: SQLITE_FULL."""
    room = [True]

    @contextlib.contextmanager
    def opened(schema: str) -> Iterator[sqlite3.Connection]:
        with kept(schema) as rows:
            if not room[0]:
                rows.execute("PRAGMA max_page_count = 1")
                rows.execute("CREATE TABLE more (x)")
            yield rows

    kept = database.opened
    monkeypatch.setattr(database, "opened", opened)
    with caplog.at_level(logging.WARNING):
        for minute in range(8):
            room[0] = minute not in (3, 4, 5)
            recorder.add(sample(BEGIN + minute * 60))
    assert [record.getMessage() for record in caplog.records] == [
        "usage cannot be kept: database or disk is full"
    ]
    assert [kept.at - BEGIN for kept in read(HOUR, BEGIN + 600)] == [0, 60, 300, 360]


def test_nothing_is_written_by_reading(home: Path) -> None:
    assert read(DAY) == []
    assert not home.exists()
