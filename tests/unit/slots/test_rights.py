"""Who may deploy on slots: the owner alone, whichever way it is asked."""

from collections.abc import Callable

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.engines.base import Model, State
from lib.jobs import jobs
from lib.slots import job, offer, rehearsal
from lib.slots.request import SlotRequest


@pytest.mark.parametrize("act", [job.start, offer.start, rehearsal.rehearse])
def test_a_guest_begins_and_rehearses_nothing(act: Callable[[SlotRequest], object]) -> None:
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden, match="deploy models"):
        act(SlotRequest(model="acme/Anvil-8B", slot=0))
    assert jobs.recent() == []


def test_a_guest_removes_nothing() -> None:
    there = Model(name="anvil", engine="vllm", state=State.READY, place="slot 0", context_trained=1)
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
        job.removal(there)
    assert jobs.recent() == []
