"""A start followed: what counts as its end, and how long it may take."""

import pytest

from lib.core.errors import BadInput, DoesNotFit, EngineError
from lib.engines.vllm.causes import Cause, Kind
from lib.engines.vllm.stages import Step
from lib.engines.vllm.systemd import ServiceState
from lib.slots.expected import expected_seconds, left_seconds
from lib.slots.start import Ended, has_ended, pause_seconds

RUNS = ServiceState(active="active", sub="running", run="first", restarts=0)


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({}, False),
        ({"active": "activating", "sub": "auto-restart"}, True),
        ({"active": "failed", "sub": "failed"}, True),
        ({"active": "inactive", "sub": "dead"}, True),
        ({"run": "second"}, True),  # systemd has started it again meanwhile
        ({"restarts": 1}, True),
    ],
)
def test_the_first_end_counts_whatever_systemd_made_of_it(
    changes: dict[str, object], is_over: bool
) -> None:
    assert has_ended(RUNS, RUNS.model_copy(update=changes)) == is_over


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.WEIGHTS_TOO_LARGE, DoesNotFit),
        (Kind.NO_ROOM_FOR_CACHE, DoesNotFit),
        (Kind.CONTEXT_TOO_LARGE, DoesNotFit),
        (Kind.CARD_TAKEN, DoesNotFit),
        (Kind.NO_COMPILER, EngineError),
        (Kind.NEIGHBOUR_MOVED, EngineError),
        (Kind.UNKNOWN, EngineError),
    ],
)
def test_what_is_too_large_for_the_card_ends_with_another_code(
    kind: Kind, error: type[Exception]
) -> None:
    told = Ended(Cause(kind=kind, message="It ended.", fix="Do this.")).error
    assert type(told) is error
    assert (told.message, told.fix) == ("It ended.", "Do this.")


def test_a_start_is_expected_to_take_as_long_as_it_took_last_time() -> None:
    guess = expected_seconds(60 * 10**9, {})
    assert guess[Step.WEIGHTS] == pytest.approx(105)
    before = expected_seconds(60 * 10**9, {"weights": 12.0, "compile": 4.0})
    assert (before[Step.WEIGHTS], before[Step.COMPILE]) == (12.0, 4.0)
    assert left_seconds(Step.GRAPHS, before) == before[Step.GRAPHS]
    assert left_seconds(Step.PROGRAM, before) == sum(before.values())
    assert left_seconds(Step.READY, before) == 0


def test_the_pause_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pause_seconds() == 20
    monkeypatch.setenv("BERTH_PAUSE_SECONDS", "0.5")
    assert pause_seconds() == 0.5
    monkeypatch.setenv("BERTH_PAUSE_SECONDS", "soon")
    with pytest.raises(BadInput):
        pause_seconds()
