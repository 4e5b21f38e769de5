"""How long the steps of an engine's start may take: as measured at an earlier one, else a guess."""

from collections.abc import Mapping

from lib.engines.vllm.stages import Step

FIRST_SECONDS = {  # of a first start, where nothing was measured yet; weights come on top
    Step.PROGRAM: 25.0,
    Step.WEIGHTS: 5.0,
    Step.COMPILE: 90.0,
    Step.CACHE: 10.0,
    Step.GRAPHS: 25.0,
}
LOAD_BYTES_PER_SECOND = 600e6  # an ordinary NVMe disk that is read for the first time


def expected_seconds(weights_bytes: int, before: Mapping[str, float]) -> dict[str, float]:
    """Seconds by step."""
    guess = {str(step): seconds for step, seconds in FIRST_SECONDS.items()}
    guess[Step.WEIGHTS] += weights_bytes / LOAD_BYTES_PER_SECOND
    return guess | dict(before)


def left_seconds(step: Step, expected: Mapping[str, float]) -> float:
    """From the beginning of this step until it answers."""
    order = list(Step)
    return sum(expected.get(one, 0.0) for one in order[order.index(step) :])
