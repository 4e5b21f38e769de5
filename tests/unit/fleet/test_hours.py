"""Days and times at which a model is in memory."""

import datetime as dt

import pytest
from pydantic import ValidationError

from lib.fleet.hours import Hours

FRIDAY = dt.date(2026, 11, 27)


def at(day: int, time: str) -> dt.datetime:
    """That many days after a Friday."""
    return dt.datetime.combine(FRIDAY + dt.timedelta(days=day), dt.time.fromisoformat(time))


@pytest.mark.parametrize(
    ("now", "begin", "end"),
    [
        (at(0, "08:00"), at(0, "08:00"), at(0, "18:00")),
        (at(0, "17:59"), at(0, "08:00"), at(0, "18:00")),
        (at(0, "18:00"), at(0, "08:00"), at(0, "18:00")),  # it is over
        (at(1, "12:00"), at(0, "08:00"), at(0, "18:00")),  # a Saturday
        (at(3, "07:59"), at(0, "08:00"), at(0, "18:00")),
        (at(3, "08:00"), at(3, "08:00"), at(3, "18:00")),
    ],
)
def test_the_one_that_began_last(now: dt.datetime, begin: dt.datetime, end: dt.datetime) -> None:
    assert Hours().span(now) == (begin, end)


def test_an_end_before_the_begin_is_of_the_next_day() -> None:
    night = Hours(days=(4,), begin="22:00", end="06:00")
    assert night.span(at(1, "03:00")) == (at(0, "22:00"), at(1, "06:00"))
    assert Hours(days=(4,), begin="06:00", end="06:00").span(at(1, "05:00")) == (
        at(0, "06:00"),
        at(1, "06:00"),
    )


def test_one_day_a_week_reaches_back_a_week() -> None:
    friday = Hours(days=(4,), begin="20:00", end="21:00")
    assert friday.span(at(7, "19:00")) == (at(0, "20:00"), at(0, "21:00"))


def test_no_day_is_never() -> None:
    assert Hours(days=()).span(at(0, "12:00")) is None


@pytest.mark.parametrize("known", [{"begin": "24:00"}, {"end": "8:00"}, {"days": [7]}])
def test_what_is_no_time_or_day_is_refused(known: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate(known)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((0, 1, 2, 3, 4), "08:00 to 18:00 on Mon to Fri"),
        (tuple(range(7)), "08:00 to 18:00 every day"),
        ((5, 6), "08:00 to 18:00 on Sat, Sun"),
        ((0, 2), "08:00 to 18:00 on Mon, Wed"),
        ((3,), "08:00 to 18:00 on Thu"),
        ((), "08:00 to 18:00 on no day"),
    ],
)
def test_in_words(days: tuple[int, ...], words: str) -> None:
    assert Hours(days=days).words == words
