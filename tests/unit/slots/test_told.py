"""How far a start has come, read from what a deployment told of it."""

import pytest

from lib.core import words
from lib.engines.vllm.stages import TITLES, Step
from lib.jobs.events import Event
from lib.slots.told import Start, start_told


def told(at: float, step: Step, left: float) -> Event:
    note = f"{TITLES[step]} (ready in about {words.duration(left)})"
    return Event(at=at, phase="start", note=note)


def test_nothing_is_told_before_the_start() -> None:
    assert start_told([]) is None
    assert start_told([Event(at=1, phase="download", note="part 1 of 2")]) is None
    assert start_told([Event(at=1, phase="start", note="Starting it.")]) is None


def test_each_step_has_its_moment_and_the_last_says_when_it_is_ready() -> None:
    found = start_told([told(100, Step.PROGRAM, 155), told(110, Step.WEIGHTS, 120)])
    assert found is not None
    assert found.steps == ((Step.PROGRAM, 100), (Step.WEIGHTS, 110))
    assert found.step == Step.WEIGHTS
    assert found.ready_at == 230
    assert found.share(165) == pytest.approx(0.5)


def test_weights_are_counted_and_their_parts_are_no_note() -> None:
    weights = Event(at=12, phase="start", done=3, total=9, note="part 1 of 3")
    found = start_told([told(10, Step.PROGRAM, 60), told(11, Step.WEIGHTS, 50), weights])
    assert found is not None
    assert (found.done, found.total, found.note) == (3, 9, "")


def test_a_second_try_begins_anew() -> None:
    again = [told(10, Step.PROGRAM, 60), told(20, Step.CACHE, 40), told(50, Step.PROGRAM, 60)]
    found = start_told(again)
    assert found is not None
    assert found.steps == ((Step.PROGRAM, 50),)
    assert found.began == 50


@pytest.mark.parametrize(("now", "share"), [(0, 0.0), (150, 0.5), (10_000, 0.99)])
def test_the_share_never_says_that_it_is_over(now: float, share: float) -> None:
    start = Start(steps=((Step.PROGRAM, 100),), ready_at=200)
    assert start.share(now) == pytest.approx(share)


def test_without_an_expectation_there_is_no_share() -> None:
    assert Start(steps=((Step.PROGRAM, 100),)).share(500) == 0.0
