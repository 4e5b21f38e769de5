"""What a key has used: counted at once, kept soon, and held against its limits."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lib.keys import place, spent
from lib.keys.errors import NoTokensLeft, TooManyRequests
from lib.keys.key import Key
from lib.keys.spent import Spent

KEY = Key("k1", "laptop", "berth-abcd", 1000.0)


@pytest.fixture(autouse=True)
def nothing_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    spent.forget(KEY.id)


class Clock:
    """The time as a test sets it, for both of Python's clocks."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    noon = time.mktime((2026, 11, 28, 12, 0, 0, 0, 0, -1))
    made = Clock(noon)
    monkeypatch.setattr(spent, "time", made)
    return made


def test_requests_and_tokens_are_counted() -> None:
    before = time.time()
    spent.admit(KEY)
    spent.note(KEY.id, 30)
    spent.note(KEY.id, 12)
    used = spent.today(KEY.id)
    assert (used.requests, used.tokens) == (1, 42)
    assert used.last_at >= before
    assert spent.today("another") == Spent()


def test_nothing_is_counted_without_a_key() -> None:
    spent.note("", 30)
    spent.note(KEY.id, 0)
    spent.note(KEY.id, -5)
    assert spent.today("") == spent.today(KEY.id) == Spent()


def test_a_key_may_ask_so_often_in_a_minute_and_is_told_when_again(clock: Clock) -> None:
    key = KEY._replace(per_minute=2)
    spent.admit(key)
    clock.now += 20
    spent.admit(key)
    with pytest.raises(TooManyRequests) as refused:
        spent.admit(key)
    assert refused.value.status == 429
    assert refused.value.headers == [(b"retry-after", b"40")]
    assert "“laptop” has made the 2 requests that it may make in a minute" in str(refused.value)
    assert "Try again in 40 s." in refused.value.fix
    clock.now += 40
    spent.admit(key)
    with pytest.raises(TooManyRequests):
        spent.admit(key)


def test_what_was_refused_is_not_counted(clock: Clock) -> None:
    key = KEY._replace(per_minute=1)
    spent.admit(key)
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            spent.admit(key)
    assert spent.today(KEY.id).requests == 1
    clock.now += 60
    spent.admit(key)


def test_a_limit_that_was_lowered_holds_until_enough_have_left_the_minute(clock: Clock) -> None:
    for _ in range(4):
        spent.admit(KEY._replace(per_minute=10))
        clock.now += 10
    with pytest.raises(TooManyRequests) as refused:
        spent.admit(KEY._replace(per_minute=2))
    assert refused.value.headers[0] == (b"retry-after", b"40")  # the third of the four is 20 s old


def test_a_key_may_use_so_many_tokens_a_day_and_is_told_when_again(clock: Clock) -> None:
    key = KEY._replace(tokens_a_day=100)
    spent.admit(key)
    spent.note(KEY.id, 99)
    spent.admit(key)
    spent.note(KEY.id, 21)
    with pytest.raises(NoTokensLeft) as refused:
        spent.admit(key)
    assert "“laptop” has used 120 tokens today; it may use 100." in refused.value.message
    assert "after midnight, in 12 h 0 min" in refused.value.fix
    assert (b"retry-after", b"43200") in refused.value.headers
    assert (b"x-should-retry", b"false") in refused.value.headers
    clock.now += 12 * 3600
    spent.admit(key)
    assert (spent.today(KEY.id).requests, spent.today(KEY.id).tokens) == (1, 0)


def test_a_reply_that_ends_after_midnight_counts_for_the_new_day(clock: Clock) -> None:
    spent.note(KEY.id, 50)
    clock.now += 12 * 3600
    spent.note(KEY.id, 7)
    assert spent.today(KEY.id).tokens == 7


def _rows() -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(place.file())) as file:
        return file.execute("SELECT id, day, requests, tokens FROM api_key_days").fetchall()


def _begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process would."""
    monkeypatch.setattr(spent, "_book", None)


def test_what_was_used_outlives_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    spent.admit(KEY)
    spent.note(KEY.id, 42)
    spent.settle()
    _begin_anew(monkeypatch)
    assert (spent.today(KEY.id).requests, spent.today(KEY.id).tokens) == (1, 42)
    with pytest.raises(NoTokensLeft):
        spent.admit(KEY._replace(tokens_a_day=42))


def test_it_is_written_by_itself_within_a_moment() -> None:
    spent.note(KEY.id, 42)
    book = spent._opened()
    assert book.thread
    book.thread.join(10)
    assert [row[0::3] for row in _rows()] == [(KEY.id, 42)]


def test_what_could_not_be_written_is_written_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent.look()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", _locked)
        spent.note(KEY.id, 40)
        spent.settle()
    assert spent.today(KEY.id).tokens == 40
    spent.note(KEY.id, 2)
    spent.settle()
    assert [row[3] for row in _rows()] == [42]


def _locked(*_args: object, **_more: object) -> None:
    raise sqlite3.OperationalError("database is locked")


def test_what_could_not_be_read_at_first_is_added_later(monkeypatch: pytest.MonkeyPatch) -> None:
    spent.note(KEY.id, 40)
    spent.settle()
    _begin_anew(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", _locked)
        spent.note(KEY.id, 2)
        assert spent.today(KEY.id).tokens == 2
        spent.settle()
    monkeypatch.setattr(spent, "AGAIN_SECONDS", 0.0)
    assert not spent.is_known()
    spent.look()
    assert spent.is_known()
    assert spent.today(KEY.id).tokens == 42


def test_days_that_are_long_past_are_dropped(clock: Clock) -> None:
    spent.note(KEY.id, 1)
    spent.settle()
    clock.now += (spent.KEPT_DAYS + 2) * 86_400
    spent.note(KEY.id, 2)
    spent.settle()
    assert [row[3] for row in _rows()] == [2]


def test_what_belongs_to_another_home_is_not_written_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent.note(KEY.id, 1)
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "another"))
    assert spent.today(KEY.id) == Spent()
    assert not place.file().exists()
