"""What is kept of how busy the machine was: means, for a day by the minute, coarser for a week."""

import sqlite3
from pathlib import Path

import pytest

from lib.core import database
from lib.machine import history
from lib.machine.history import COARSE_SECONDS, FINE_SECONDS, POINTS, Recorder, read
from lib.machine.sampler import CardUse, Sample

BEGIN = 1_700_000_100.0 // COARSE_SECONDS * COARSE_SECONDS
DAY = 86_400


def sample(at: float, cpu: float = 10.0, used: int = 1_000) -> Sample:
    return Sample(
        at=at,
        cpu_percent=cpu,
        memory_used_bytes=used,
        memory_available_bytes=5_000,
        disk_free_bytes=7,
        received_bytes_per_second=1.0,
        sent_bytes_per_second=2.0,
        cards=(CardUse("gpu-1", 50.0, 123), CardUse("gpu-2", None, None)),
    )


def test_a_minute_becomes_its_mean(home: Path) -> None:
    recorder = Recorder()
    for second in range(0, 60, 2):
        recorder.add(sample(BEGIN + second, cpu=second, used=second * 100))
    assert read(DAY, BEGIN + 60) == []
    recorder.add(sample(BEGIN + 60))
    [kept] = read(DAY, BEGIN + 60)
    assert kept.cpu_percent == pytest.approx(29)
    assert kept.memory_used_bytes == 2_900
    assert kept.disk_free_bytes == 7
    assert kept.cards == (CardUse("gpu-1", 50.0, 123), CardUse("gpu-2", None, None))


def recorded(hours: float) -> float:
    """Sampled once a minute for so long; the time of the last."""
    recorder, at = Recorder(), BEGIN
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


def test_a_clock_that_is_set_back_shows_nothing_from_the_future(home: Path) -> None:
    recorder = Recorder()
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


def test_rows_that_nobody_understands_are_no_traceback(home: Path) -> None:
    recorded(0.1)
    with database.opened(history.SCHEMA) as rows:
        rows.execute("UPDATE usage SET cards = 'x'")
    assert read(DAY, BEGIN + 600) == []
