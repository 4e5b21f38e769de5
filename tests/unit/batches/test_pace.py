"""How many requests are under way at once: as many as bring something, fewer after a refusal."""

from collections.abc import Callable

from lib.batches.pace import FIRST, MOST, REST_ROUNDS, Pace


def after(pace: Pace, answers: int, rate: Callable[[int], float], now: float = 0.0) -> float:
    """Let so many answers come, at `rate` answers per second for the number under way."""
    for _ in range(answers):
        now += 1 / rate(pace.limit)
        pace.answered(now)
    return now


def test_an_engine_that_answers_many_at_once_gets_many() -> None:
    pace = Pace(0.0)
    after(pace, 2_000, rate=lambda limit: float(limit))
    assert pace.limit >= 10


def test_never_more_than_the_most() -> None:
    pace = Pace(0.0, most=4)
    after(pace, 2_000, rate=lambda limit: float(limit**2))
    assert pace.limit == 4


def test_an_engine_of_one_slot_keeps_few() -> None:
    pace, now, seen = Pace(0.0), 0.0, []
    for _ in range(500):
        now = after(pace, 1, rate=lambda _: 1.0, now=now)
        seen.append(pace.limit)
    assert max(seen) <= FIRST + 1
    assert min(seen) >= 1


def test_a_refusal_halves_and_waits_as_long_as_it_says() -> None:
    pace = Pace(0.0, first=8)
    pace.refused(7.0, now=10.0)
    assert (pace.limit, pace.not_before) == (4, 17.0)


def test_refusals_that_come_together_count_once() -> None:
    pace = Pace(0.0, first=8)
    for _ in range(8):
        pace.refused(2.0, now=10.0)
    assert (pace.limit, pace.not_before) == (4, 12.0)


def test_the_longest_wait_holds() -> None:
    pace = Pace(0.0, first=8)
    pace.refused(30.0, now=10.0)
    pace.refused(1.0, now=11.0)
    assert pace.not_before == 40.0


def test_a_pause_leaves_the_number_as_it_is() -> None:
    pace = Pace(0.0, first=8)
    pace.pause(3.0, now=1.0)
    assert (pace.limit, pace.not_before) == (8, 4.0)


def test_one_remains_whatever_happens() -> None:
    pace, now = Pace(0.0), 0.0
    for _ in range(10):
        pace.refused(1.0, now)
        now += 2
    assert pace.limit == 1


def test_after_a_refusal_it_grows_again_but_not_at_once() -> None:
    pace = Pace(0.0, first=8)
    pace.refused(1.0, now=0.0)
    now = after(pace, 4 * (REST_ROUNDS - 1), rate=lambda limit: float(limit), now=1.0)
    assert pace.limit == 4
    after(pace, 2_000, rate=lambda limit: float(limit), now=now)
    assert 4 < pace.limit <= MOST
