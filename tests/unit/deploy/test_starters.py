"""First models: what is offered on which machine, and what is said of it."""

import pytest

from lib.core.names import repo_name
from lib.deploy import starters
from lib.deploy.starter import STARTER
from lib.deploy.starters import GIB, PURPOSES, TRY_OUT, Have

ROOMY = Have(memory=32 * GIB, disk=200 * GIB, speed=20e9)
EVERY = [one for purpose in PURPOSES for one in purpose.models]


def offered(memory_gib: float, disk_gib: float = 100) -> dict[str, str]:
    """The model of each purpose, or nothing where it cannot be had."""
    have = Have(int(memory_gib * GIB), int(disk_gib * GIB))
    return {
        one.purpose.title: "" if one.problem else one.model.key for one in starters.offers(have)
    }


@pytest.mark.parametrize(
    ("memory_gib", "keys"),
    [
        (16, ["chat-4b", "code-7b", "sees-2.2b", "small"]),
        (6, ["chat-4b", "code-1.5b", "sees-2.2b", "small"]),
        (3, ["chat-1.5b", "code-1.5b", "sees-500m", "small"]),
        (1, ["", "", "", "small"]),
        (0.5, ["", "", "", ""]),
    ],
)
def test_each_machine_is_offered_what_it_has_room_for(memory_gib: float, keys: list[str]) -> None:
    assert [*offered(memory_gib).values()] == keys


def test_what_does_not_fit_says_why() -> None:
    short = starters.offers(Have(memory=GIB, disk=100 * GIB))[0]
    assert short.problem == (
        "Does not fit now: it needs about 1.6 GiB of memory, 1.0 GiB are free."
    )
    full = starters.offers(Have(memory=32 * GIB, disk=GIB))[0]
    assert full.problem.startswith("The disk is too full: it needs about 2.2 GB")


def test_sizes_are_about_but_for_the_one_that_is_known() -> None:
    [small] = TRY_OUT.models
    assert starters.facts(small, ROOMY) == (
        "491 MB to download · about 717 MiB of memory · up to 41 tok/s · Apache-2.0"
    )
    assert starters.facts(EVERY[0], ROOMY).startswith("About 2.5 GB to download")
    unmeasured = ROOMY._replace(speed=0.0)
    assert "tok/s" not in starters.facts(small, unmeasured)


def test_the_small_one_says_what_it_is_for() -> None:
    assert TRY_OUT.title == "To try Berth out"
    assert TRY_OUT.models[0].repo == STARTER.repo


def test_every_starter_can_be_deployed_and_found_again() -> None:
    assert len(starters.BY_RESOURCE) == len({one.key for one in EVERY}) == len(EVERY)
    for one in EVERY:
        assert repo_name(one.repo)
        assert one.request.engine == "llamacpp"
        assert one.memory_bytes > one.download_bytes


def test_of_a_purpose_the_larger_one_is_asked_for_first() -> None:
    for purpose in PURPOSES:
        sizes = [one.memory_bytes for one in purpose.models]
        assert sizes == sorted(sizes, reverse=True)
