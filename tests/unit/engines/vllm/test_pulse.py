"""Whether an engine makes tokens, from its counters and from one token asked for now and then."""

from lib.engines.vllm.metrics import Figures
from lib.engines.vllm.pulse import AGAIN_SECONDS, PROVEN_SECONDS, Pulse

FRESH = Figures(generated=0, stepped=0)


def test_a_new_engine_is_asked_for_a_token_and_is_proven_by_it() -> None:
    pulse = Pulse().read(FRESH, 0)
    assert pulse.is_due(0) and not pulse.is_proven
    pulse = pulse.asked(0)
    assert not pulse.is_due(1)
    assert pulse.answered(1).is_proven


def test_one_that_has_made_tokens_in_this_run_needs_no_question() -> None:
    pulse = Pulse().read(Figures(generated=500, stepped=900), 0)
    assert pulse.is_proven and not pulse.is_due(PROVEN_SECONDS - 1)


def test_while_its_counters_move_it_is_never_asked() -> None:
    pulse = Pulse().read(Figures(generated=1, stepped=1), 0)
    for at in range(1, 1_000):
        pulse = pulse.read(Figures(generated=1 + at, stepped=1), at)
        assert not pulse.is_due(at)


def test_a_long_prompt_that_is_read_in_parts_counts_as_life() -> None:
    pulse = (
        Pulse().read(Figures(generated=1, stepped=1), 0).read(Figures(generated=1, stepped=9), 5)
    )
    assert pulse.alive_at == 5


def test_an_idle_one_is_asked_once_in_a_while() -> None:
    pulse = Pulse().read(Figures(generated=9), 0)
    assert not pulse.is_due(PROVEN_SECONDS - 0.1)
    assert pulse.is_due(PROVEN_SECONDS)
    assert not pulse.asked(PROVEN_SECONDS).is_due(PROVEN_SECONDS + 1)


def test_no_token_and_still_counters_mean_stuck_and_soon_another_try() -> None:
    pulse = Pulse().read(Figures(generated=9, stepped=9), 0).asked(60)
    pulse = pulse.silent(Figures(generated=9, stepped=9), 90)
    assert pulse.is_stuck and not pulse.is_proven
    assert pulse.is_due(60 + AGAIN_SECONDS)
    assert pulse.answered(100).is_proven


def test_no_token_while_others_got_theirs_is_no_more_than_waiting() -> None:
    pulse = Pulse().read(Figures(generated=9, stepped=9), 0).asked(60)
    assert pulse.silent(Figures(generated=12, stepped=12), 90).is_proven


def test_without_counters_a_token_that_does_not_come_means_stuck() -> None:
    assert Pulse().read(None, 0).asked(0).silent(None, 30).is_stuck


def test_counters_that_move_again_end_being_stuck() -> None:
    pulse = Pulse(counted=9, alive_at=0, asked_at=60, is_stuck=True)
    assert pulse.read(Figures(generated=10), 120).is_proven


def test_counters_that_begin_anew_are_another_run() -> None:
    pulse = Pulse(counted=900, alive_at=50, asked_at=40)
    assert pulse.read(FRESH, 60) == Pulse(counted=0)
