"""Programs by the memory that they hold."""

import os

from lib.machine.holders import holders


def test_those_that_hold_most_come_first_and_ours_stand_apart() -> None:
    found = holders({os.getpid()})
    assert [holder.bytes for holder in found] == sorted((h.bytes for h in found), reverse=True)
    [ours] = [holder for holder in found if holder.is_ours]
    assert ours.bytes > 10 * 2**20
    assert "/" not in ours.name
    assert not any(holder.is_ours for holder in holders(()))
