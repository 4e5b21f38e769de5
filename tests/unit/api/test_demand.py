"""How a load that went wrong is told to the programs that wait for it."""

import pytest

from lib.api.demand import NotLoaded
from lib.core.access import Role, acting
from lib.core.errors import BerthError, Conflict, EngineError, NoSpace
from lib.engines.base import Model, StartOptions, State
from lib.fleet import ledger
from lib.fleet.ledger import Judgement


def no_room() -> ledger.NoRoom:
    """Which names a model that could go."""
    other = Model(name="secret", engine="llamacpp", state=State.READY)
    return Judgement(
        model="m",
        options=StartOptions(),
        needed=2**33,
        free=2**30,
        has_room=False,
        would_go=(other,),
    ).objection


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineError("It broke.", "Mend it."), 502),
        (Conflict("It was stopped.", "Start it."), 503),
        (BerthError("It broke.", "Mend it."), 503),
        (NoSpace("The disk is full.", "Free some."), 507),
    ],
)
def test_it_is_told_as_the_machines_matter_and_not_to_be_tried_at_once(
    error: BerthError, status: int
) -> None:
    told = NotLoaded(error)
    assert (told.status, told.code) == (status, error.code)
    assert (told.message, told.fix) == (error.message, error.fix)
    assert told.headers == [(b"x-should-retry", b"false")]


def test_the_owner_is_told_what_would_make_room() -> None:
    with acting(Role.OWNER):
        told = NotLoaded(no_room())
    assert (told.status, told.code) == (507, "does_not_fit")
    assert "Stop secret" in told.fix


def test_others_are_not_told_what_else_runs_here() -> None:
    with acting(Role.OWNER):
        error = no_room()
    with acting(Role.GUEST, "a-key"):
        told = NotLoaded(error)
    assert "8.0 GiB" in told.message
    assert told.fix == ledger.ASK


def test_what_one_load_tells_is_not_anothers() -> None:
    NotLoaded(NoSpace("The disk is full.", "Free some."))
    assert (NotLoaded.status, NotLoaded.code) == (503, "not_loaded")
