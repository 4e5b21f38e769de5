"""When sharing ends, how that is told, and what a restart goes on with."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import Conflict
from lib.sharing import duration
from lib.sharing.duration import Lasting, Open

EVENING = datetime(2026, 11, 28, 23, 30).timestamp()


def test_each_choice_has_its_end() -> None:
    assert duration.until(Lasting.HOUR, EVENING) == EVENING + 3_600
    assert duration.until(Lasting.WORKDAY, EVENING) == EVENING + 8 * 3_600
    assert duration.until(Lasting.TODAY, EVENING) == EVENING + 1_800
    assert duration.until(Lasting.ALWAYS, EVENING) == 0


@given(st.floats(min_value=0, max_value=4e9))
def test_today_ends_at_the_next_midnight(now: float) -> None:
    end = datetime.fromtimestamp(duration.until(Lasting.TODAY, now))
    assert (end.hour, end.minute, end.second) == (0, 0, 0)
    assert 0 < end.timestamp() - now <= 25 * 3_600  # a day may have 25 hours


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (8 * 3_600, "ends in 8 h"),
        (8 * 3_600 - 1, "ends in 7 h 59 min"),
        (3_660, "ends in 1 h 1 min"),
        (120, "ends in 2 min"),
        (59, "ends in less than a minute"),
        (-5, "ends in less than a minute"),
    ],
)
def test_what_is_left_is_told_in_words(seconds: float, words: str) -> None:
    assert duration.left(EVENING + seconds, EVENING) == words


def test_without_an_end_it_lasts_until_it_is_stopped() -> None:
    assert duration.left(0) == "until you stop it"
    assert not Open(address="a").is_over(EVENING)


def test_a_clock_that_was_set_back_by_months_ends_it() -> None:
    now = Open(address="a", until=EVENING + 3_600)
    assert not now.is_over(EVENING)
    assert now.is_over(EVENING + 3_600)
    assert now.is_over(EVENING - 40 * 86_400)


def test_what_is_shared_is_kept_until_its_end() -> None:
    duration.keep(Open(address="192.168.1.5", until=time.time() + 60))
    assert duration.kept() is not None
    duration.keep(Open(address="192.168.1.5", until=time.time() - 1))
    assert duration.kept() is None
    duration.keep(Open(address="192.168.1.5"))
    duration.forget()
    assert duration.kept() is None
    duration.forget()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"until": 0}', '{"address": 1, "until": "x"}'])
def test_a_broken_file_shares_nothing(home: Path, text: str) -> None:
    home.mkdir()
    (home / "sharing.json").write_text(text)
    assert duration.kept() is None


def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(Conflict, match="cannot be written"):
        duration.keep(Open(address="192.168.1.5"))


def test_nothing_but_address_and_end_is_kept(home: Path) -> None:
    duration.keep(Open(address="192.168.1.5"))
    assert json.loads((home / "sharing.json").read_text()) == {
        "address": "192.168.1.5",
        "until": 0.0,
    }
