"""What happened is kept for 30 days, and no failure of the file stops anybody."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from lib.core import activity, database
from lib.core.access import Role, acting
from lib.core.activity import KEPT_SECONDS, SCHEMA, Kind


def test_the_newest_comes_first_with_who_did_it(home: Path) -> None:
    with acting(Role.OWNER):
        activity.note(Kind.STARTED, "a")
    with acting(Role.GUEST, "someone"):
        activity.note(Kind.STARTED, "b")
    activity.note(Kind.STOPPED, "a", "nobody used it for 5 min", who="Berth")
    found = activity.recent()
    assert [(e.kind, e.subject, e.who) for e in found] == [
        (Kind.STOPPED, "a", "Berth"),
        (Kind.STARTED, "b", "guest"),
        (Kind.STARTED, "a", ""),
    ]
    assert found[0].detail == "nobody used it for 5 min"


def test_kinds_are_filtered_and_the_number_is_bounded(home: Path) -> None:
    for number in range(5):
        activity.note(Kind.STARTED, f"m{number}", who="")
        activity.note(Kind.REMOVED, f"m{number}", who="")
    assert [e.subject for e in activity.recent(2, (Kind.REMOVED,))] == ["m4", "m3"]
    assert len(activity.recent(100)) == 10


def test_what_is_older_than_30_days_goes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    with monkeypatch.context() as past:
        past.setattr(time, "time", lambda: now - KEPT_SECONDS - 60)
        activity.note(Kind.STARTED, "old", who="")
    activity.note(Kind.STARTED, "new", who="")
    assert [event.subject for event in activity.recent()] == ["new"]


def test_nothing_is_made_by_looking(home: Path) -> None:
    assert activity.recent() == []
    assert not database.path().exists()


def test_only_its_owner_can_read_the_file(home: Path) -> None:
    activity.note(Kind.STARTED, "a", who="")
    assert database.path().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 4_000]
)
def test_a_damaged_file_is_kept_aside_and_it_goes_on(home: Path, content: bytes) -> None:
    home.mkdir(parents=True, exist_ok=True)
    database.path().write_bytes(content)
    activity.note(Kind.STARTED, "a", who="")
    assert [event.subject for event in activity.recent()] == ["a"]
    assert (home / "berth.broken-1.db").read_bytes() == content
    assert "kept as berth.broken-1.db" in database.problem()


def test_a_locked_file_stops_nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    activity.note(Kind.STARTED, "before", who="")
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    activity.note(Kind.STARTED, "meanwhile", who="")
    assert activity.recent() == []
    other.rollback()
    other.close()
    assert [event.subject for event in activity.recent()] == ["before"]
    assert database.problem() == ""


def test_a_folder_that_cannot_be_written_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "file" / "home"))
    activity.note(Kind.STARTED, "a", who="")
    assert activity.recent() == []


def test_many_at_once_lose_nothing(home: Path) -> None:
    def several(number: int) -> None:
        for each in range(10):
            activity.note(Kind.STARTED, f"{number}-{each}", who="")

    threads = [threading.Thread(target=several, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(activity.recent(100)) == 40


def test_a_name_that_would_break_a_line_is_kept_plain_and_short(home: Path) -> None:
    activity.note(Kind.STARTED, "a\nb" + "x" * 10_000, "y" * 10_000, who="")
    [event] = activity.recent()
    assert "\n" not in event.subject
    assert len(event.subject) <= 501  # with an ellipsis
    assert len(event.detail) == 501
    with database.opened(SCHEMA) as rows:
        assert rows.execute("SELECT count(*) FROM activity").fetchone() == (1,)


def test_words_that_are_no_text_are_kept_as_far_as_they_are(home: Path) -> None:
    activity.note(Kind.FAILED, "a", "cannot open \udcff", who="")
    [event] = activity.recent()
    assert event.detail.startswith("cannot open ")


def test_what_happened_to_one_model_is_told_of_it_alone(home: Path) -> None:
    assert activity.about("a") == []
    for number in range(5):
        activity.note(Kind.STARTED, "a", str(number), who="")
        activity.note(Kind.STARTED, "ab", who="")
    assert [event.detail for event in activity.about("a", 2)] == ["4", "3"]
