"""Who may deploy on slots: the owner alone, whichever way it is asked."""

from collections.abc import Callable

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.jobs import jobs
from lib.slots import job, offer, rehearsal
from lib.slots.request import SlotRequest


@pytest.mark.parametrize("act", [job.start, offer.start, rehearsal.rehearse])
def test_a_guest_begins_and_rehearses_nothing(act: Callable[[SlotRequest], object]) -> None:
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden, match="deploy models"):
        act(SlotRequest(model="acme/Anvil-8B", slot=0))
    assert jobs.recent() == []
