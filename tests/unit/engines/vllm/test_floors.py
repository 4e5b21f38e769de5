"""Which vLLM may be used."""

import pytest

from lib.engines.vllm import floors
from lib.engines.vllm.floors import objection, parsed


def test_nothing_speaks_against_what_berth_installs() -> None:
    assert objection(floors.VLLM_PINNED) == ""
    assert objection("0.32.0+cpu") == ""


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("0.21.0", "whoever reaches it can get past its key (CVE-2026-48746)"),
        ("0.29.1", "counting tokens can run a model's own program code (CVE-2026-114053)"),
        ("0.31.2", "one request with a template can block it (CVE-2026-115911)"),
        ("v0.8.5.post1", "whoever reaches it can get past its key (CVE-2026-48746)"),
    ],
)
def test_an_older_one_is_told_the_worst_that_it_has(version: str, why: str) -> None:
    assert objection(version) == (
        f"vLLM {version} is older than 0.32.0: {why}. Deploy the model again with a newer one."
    )


def test_what_is_no_version_is_not_judged() -> None:
    assert parsed("dev") is None
    assert objection("dev") == ""
    assert parsed("1.0") == (1, 0, 0)


def test_every_reason_lies_at_or_below_the_floor_and_one_makes_it() -> None:
    assert max(reason.fixed_in for reason in floors.REASONS) == floors.VLLM_FLOOR
