"""What was served is summed up for 30 days, and no failure of the file stops anybody."""

import sqlite3
import threading
import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import pytest

from lib.core import database
from lib.core.access import Role, acting
from lib.engines.base import Usage
from lib.fleet import served
from lib.fleet.served import COARSE_SECONDS, FINE_KEPT_SECONDS, KEPT_SECONDS, PROGRAM, Share

DAY = 86_400
NOON = datetime(2026, 3, 14, 12).timestamp()


def said(completion: int, prompt: int = 10, speed: float | None = 20.0) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, tokens_per_second=speed)


def at(when: float, monkeypatch: pytest.MonkeyPatch, *notes: tuple[str, int]) -> None:
    """Each of these models has written so many tokens then."""
    with monkeypatch.context() as then:
        then.setattr(time, "time", lambda: when)
        for model, tokens in notes:
            served.note("llamacpp", model, said(tokens), who="")
        served.settle()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An item for each time that the file is opened from now on."""
    found: list[str] = []
    real = database.opened

    def opened(schema: str) -> AbstractContextManager[sqlite3.Connection]:
        found.append(schema)
        return real(schema)

    monkeypatch.setattr(database, "opened", opened)
    return found


def rows() -> int:
    with database.opened(served.SCHEMA) as file:
        return int(file.execute("SELECT count(*) FROM served").fetchone()[0])


def test_today_is_summed_up_by_whom(home: Path) -> None:
    with acting(Role.OWNER):
        served.note("llamacpp", "a", said(100))
        served.note("ollama", "b", said(50))
    with acting(Role.GUEST, "someone"):
        served.note("llamacpp", "a", said(7))
    served.note("llamacpp", "a", said(0, prompt=3, speed=None), who=PROGRAM)
    served.settle()
    found = served.today()
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (4, 33, 157)
    assert found.tokens == 190
    assert list(found.by.items()) == [
        ("", Share(2, 170)),
        (PROGRAM, Share(1, 3)),
        ("guest", Share(1, 17)),
    ]


def test_today_begins_at_midnight_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    midnight = datetime(2026, 3, 14).timestamp()
    at(midnight - 1, monkeypatch, ("a", 1))
    at(midnight, monkeypatch, ("a", 10))
    at(NOON, monkeypatch, ("a", 100))
    at(midnight + DAY, monkeypatch, ("a", 1_000))
    assert served.today(NOON).completion_tokens == 110


def test_the_last_speed_is_that_of_the_last_answer_that_told_one(home: Path) -> None:
    served.note("llamacpp", "a", said(10, speed=20.0))
    served.note("llamacpp", "a", said(10, speed=30.0))
    served.note("llamacpp", "a", said(0, speed=None))
    served.note("ollama", "a", said(0, speed=None))
    before = time.time()
    served.settle()
    assert served.last_speed("llamacpp", "a") == 30.0
    assert served.last_speed("ollama", "a") is None
    assert served.last_speed("vllm", "a") is None
    assert before - 60 < (served.last_used("ollama", "a") or 0.0) <= before
    assert served.last_used("vllm", "a") is None


def test_one_look_at_the_file_serves_all_models_of_a_page(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        served.note("llamacpp", f"m{number}", said(number))
    served.settle()
    opened = counted(monkeypatch)
    for number in range(200):
        assert served.last_speed("llamacpp", f"m{number}") == 20.0
        assert sum(served.per_minute("llamacpp", f"m{number}", 30)) == number
    assert len(opened) <= 4  # two questions, and a minute may begin in between


def test_another_process_is_seen_within_a_second(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.note("llamacpp", "a", said(5))
    served.settle()
    assert served.today().requests == 1
    with database.opened(served.SCHEMA) as file:
        file.execute("UPDATE served SET requests = 9")
    monkeypatch.setattr(served, "FRESH_SECONDS", 0.0)
    assert served.today().requests == 9


def test_tokens_of_each_minute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(NOON - 120, monkeypatch, ("a", 5), ("a", 6), ("b", 1))
    at(NOON + 1, monkeypatch, ("a", 7))
    monkeypatch.setattr(time, "time", lambda: NOON + 5)
    assert served.per_minute("llamacpp", "a", 4) == [0, 11, 0, 7]
    assert served.per_minute("ollama", "a", 2) == [0, 0]


def test_speeds_are_few_and_of_the_busiest_models(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(0, 600, 10):
        names = [(f"m{each}", each) for each in range(10)]
        at(NOON - number * 60, monkeypatch, *names)
    found = served.speeds(7 * DAY, NOON)
    assert {model for _, model, _ in found} == {f"m{each}" for each in range(4, 10)}
    assert [moment for moment, _, _ in found] == sorted(moment for moment, _, _ in found)
    assert {speed for _, _, speed in found} == {20.0}
    assert len(served.speeds(600 * 60, NOON)) <= 6 * 61
    assert served.speeds(600, NOON - 20 * DAY) == []


def test_what_is_old_is_kept_by_the_quarter_of_an_hour(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(60):
        at(NOON + minute * 60, monkeypatch, ("a", 1))
    assert rows() == 60
    at(NOON + FINE_KEPT_SECONDS + 2 * 3_600, monkeypatch, ("a", 1))
    assert rows() == 5
    assert served.today(NOON).completion_tokens == 60
    assert served.today(NOON).requests == 60


def test_what_is_older_than_30_days_goes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(NOON, monkeypatch, ("old", 1))
    at(NOON + KEPT_SECONDS + COARSE_SECONDS, monkeypatch, ("new", 1))
    assert rows() == 1
    assert served.last_used("llamacpp", "old") is None
    assert served.last_used("llamacpp", "new") is not None


def test_rows_are_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "MOST_ROWS", 10)
    monkeypatch.setattr(served, "MOST_NAMES", 3)
    for number in range(30):
        at(NOON + number * COARSE_SECONDS, monkeypatch, (f"m{number}", 1))
    assert rows() <= 11
    assert served.last_used("llamacpp", "m29") is not None
    assert served.last_used("llamacpp", "m2") is None


def test_whoever_notes_does_not_wait_for_a_locked_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(3):
        served.note("llamacpp", "a", said(1), who="")
        served.settle()
        assert served.today().requests == 0
    assert len(caplog.records) == 2  # once that it cannot be kept, once that it cannot be read
    other.rollback()
    other.close()
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    assert served.today().requests == 5


def test_what_waits_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(served, "MOST_WAITING", 5)
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(20):
        served.note("llamacpp", "a", said(1), who="")
    served.settle()
    other.rollback()
    other.close()
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    assert served.today().requests <= 7


def test_a_file_that_cannot_be_read_costs_a_page_one_wait(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    tried = counted(monkeypatch)
    assert [served.last_speed("llamacpp", f"m{n}") for n in range(50)] == [None] * 50
    assert len(tried) == 1
    other.rollback()
    other.close()


def test_a_damaged_file_is_kept_aside_and_it_goes_on(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    database.path().write_bytes(b"no database at all" * 100)
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    assert served.today().requests == 1
    assert (home / "berth.broken-1.db").exists()


def test_a_folder_that_cannot_be_written_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "file" / "home"))
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    assert served.today() == served.Today(0, 0, 0, {})


def test_nothing_is_made_by_looking(home: Path) -> None:
    assert served.today().requests == 0
    assert served.speeds(DAY) == []
    assert served.per_minute("llamacpp", "a", 3) == [0, 0, 0]
    assert not database.path().exists()


def test_figures_that_cannot_be_are_no_failure(home: Path) -> None:
    served.note("llamacpp", "a\nb" + "x" * 10_000 + "\udcff", said(10**30, speed=float("nan")))
    served.note("llamacpp", "a", Usage(prompt_tokens=-5, completion_tokens=-1))
    served.settle()
    assert served.today().requests == 2
    assert served.last_speed("llamacpp", "a") is None


def test_many_at_once_lose_nothing(home: Path) -> None:
    def several() -> None:
        for _ in range(50):
            served.note("llamacpp", "a", said(1), who="")

    threads = [threading.Thread(target=several) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served.settle()
    assert served.today().requests == 200


def test_only_its_owner_can_read_the_file(home: Path) -> None:
    served.note("llamacpp", "a", said(1), who="")
    served.settle()
    assert database.path().stat().st_mode & 0o777 == 0o600
