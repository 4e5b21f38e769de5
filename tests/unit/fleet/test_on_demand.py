"""Which stopped models a program may have started."""

import datetime as dt
from collections.abc import Iterator

import pytest

from lib.core import preferences
from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.engines.base import Model, State
from lib.fleet import on_demand, rules
from lib.fleet.hours import Hours
from tests.support.expect import expect_failure

MODEL = Model(name="a", engine="llamacpp", state=State.STOPPED)
MONDAY = dt.datetime(2026, 11, 30, 12, 0)


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


def test_a_stopped_model_may_be_started_unless_the_owner_says_otherwise() -> None:
    on_demand.require_allowed(MODEL)
    preferences.change(starts_on_demand=False)
    error = expect_failure("engine_down", lambda: on_demand.require_allowed(MODEL))
    assert "programs may not start it" in error.message
    assert "/api/models/a/start" in error.fix


def test_a_program_with_a_key_needs_no_guests_right_and_a_guest_does() -> None:
    with acting(Role.GUEST, "somebody"):
        on_demand.require_allowed(MODEL, key="k1")
        with pytest.raises(Forbidden, match="guests cannot start it"):
            on_demand.require_allowed(MODEL)


def test_the_setting_holds_for_guests_who_may_load_as_well() -> None:
    preferences.change(starts_on_demand=False, guests={"may_load": True})
    with acting(Role.GUEST, "somebody"):
        expect_failure("engine_down", lambda: on_demand.require_allowed(MODEL))


@pytest.mark.parametrize("hour", [7, 18])
def test_a_model_is_not_started_outside_its_hours(hour: int) -> None:
    rules.update(MODEL, hours=Hours(days=(0,), begin="08:00", end="18:00"))
    on_demand.require_allowed(MODEL, now=MONDAY)
    late = MONDAY.replace(hour=hour)
    error = expect_failure("outside_hours", lambda: on_demand.require_allowed(MODEL, "", late))
    assert "08:00 to 18:00 on Mon" in error.message


def test_one_whose_hours_are_on_no_day_is_never_started() -> None:
    rules.update(MODEL, hours=Hours(days=()))
    expect_failure("outside_hours", lambda: on_demand.require_allowed(MODEL, now=MONDAY))


def test_what_somebody_starts_outside_its_hours_is_waited_for() -> None:
    rules.update(MODEL, hours=Hours(days=()))
    on_demand.require_allowed(MODEL.model_copy(update={"state": State.STARTING}), now=MONDAY)


def test_one_that_failed_is_not_tried_again_and_again() -> None:
    failed = MODEL.model_copy(update={"state": State.FAILED, "problem": "Memory ran out."})
    error = expect_failure("engine_down", lambda: on_demand.require_allowed(failed))
    assert "Memory ran out." in error.message
