"""The order of quality, and what it says of names that carry a publisher's mark."""

import pytest

from lib.fit.quantizations import BITS_PER_WEIGHT, LADDER, MARK, estimated_bytes, note, quality


def test_the_ladder_goes_down() -> None:
    rungs = [quality(rung) for rung in LADDER]
    assert rungs == sorted(rungs, reverse=True)
    assert quality("nothing") == 0


@pytest.mark.parametrize("name", BITS_PER_WEIGHT)
def test_a_publishers_mark_changes_no_quality(name: str) -> None:
    assert quality(f"{MARK}{name}") == quality(name) > 0
    assert note(f"{MARK}{name}") == note(name) != ""


@pytest.mark.parametrize("name", ["", MARK, "Q4_K_P", "q4_k_m", "APEX-I-Compact"])
def test_of_what_nobody_measured_nothing_is_said(name: str) -> None:
    assert quality(name) == 0
    assert note(name) == ""


def test_a_file_that_does_not_exist_is_estimated_by_bits_per_weight() -> None:
    assert estimated_bytes(8_030_261_248, "Q4_K_M") == pytest.approx(4_920_739_232, rel=0.01)
