import pytest

from lib.slots import litellm_floors
from lib.slots.litellm_floors import objection


def test_the_pinned_version_may_be_used() -> None:
    assert objection(litellm_floors.LITELLM_PINNED) == ""


@pytest.mark.parametrize("version", ["1.108.7", "1.109.3", "1.110.2", "2.0.0"])
def test_newer_than_the_floor_is_good(version: str) -> None:
    assert objection(version) == ""


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0"])
def test_a_version_of_an_attacker_is_refused_with_what_to_do(version: str) -> None:
    assert "published by an attacker" in objection(version)
    assert "change every key" in objection(version)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.83.0", "CVE-2026-42208"),
        ("1.83.20", "CVE-2026-49468"),
        ("1.95.0", "CVE-2026-136538"),
        ("1.108.6", "CVE-2026-136538"),
    ],
)
def test_an_older_one_is_refused_with_its_worst_hole(version: str, reason: str) -> None:
    assert reason in objection(version)


@pytest.mark.parametrize("version", ["", "latest", "unknown"])
def test_what_is_no_version_is_refused(version: str) -> None:
    assert "no version" in objection(version)
