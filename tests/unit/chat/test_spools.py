"""The files of replies: which are kept when there are too many."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat import spools
from lib.chat.spools import Header, Spool
from lib.core.errors import NoSpace
from lib.core.settings import settings


def spooled(reply_id: str, owner: str, modified: float) -> None:
    Spool(reply_id, Header(modified, "c" * 32, owner), {}).close()
    path = settings().replies / f"{reply_id}.jsonl"
    os.utime(path, (modified, modified))


def left() -> set[str]:
    return {path.stem for path in settings().replies.glob("*.jsonl")}


def test_the_oldest_of_whoever_has_most_go() -> None:
    for at in range(3):
        spooled(f"mine{at}", "me", at)
    for at in range(9):
        spooled(f"guest{at}", "a guest", 100 + at)
    spools.prune(6, ())
    assert left() == {"mine0", "mine1", "mine2", "guest6", "guest7", "guest8"}


def test_what_is_being_written_and_what_is_few_stays() -> None:
    for at in range(5):
        spooled(f"mine{at}", "me", at)
    spools.prune(5, ())
    assert len(left()) == 5
    spools.prune(3, {"mine0"})
    assert left() == {"mine0", "mine2", "mine3", "mine4"}


def test_a_file_that_is_no_spool_goes_too() -> None:
    settings().replies.mkdir(parents=True, exist_ok=True)
    for at in range(4):
        (settings().replies / f"broken{at}.jsonl").write_bytes(b"\xff\n")
    spooled("mine", "me", 1)
    spools.prune(2, ())
    assert len(left()) == 2
    assert "mine" in left()


@given(st.lists(st.sampled_from("abc")), st.integers(0, 10))
def test_nobody_loses_one_while_another_has_more(owners: list[str], kept: int) -> None:
    gone = spools.surplus([(owner, (owner, at)) for at, owner in enumerate(owners)], kept)
    assert len(gone) == max(len(owners) - kept, 0)
    stay = {owner: owners.count(owner) - sum(one == owner for one, _ in gone) for owner in "abc"}
    for owner, at in gone:
        assert stay[owner] + 1 >= max(stay.values())
        assert all(
            later[1] > at for later in gone[gone.index((owner, at)) + 1 :] if later[0] == owner
        )


def test_a_full_disk_is_told_before_a_reply_begins() -> None:
    folder = settings().replies
    folder.mkdir(parents=True)
    (folder / "new.jsonl").symlink_to("/dev/full")
    with pytest.raises(NoSpace, match="Replies cannot be kept"):
        Spool("new", Header(1.0, "c" * 32, "me"), {})
    assert not (folder / "new.jsonl").is_symlink()


def test_a_disk_that_fills_ends_the_file_and_raises_nothing() -> None:
    spool = Spool("one", Header(1.0, "c" * 32, "me"), {})
    spool._file.close()
    spool._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    spool.keep(["t", "a word"])
    assert spool.problem is not None
    spool.keep(["t", "another"])
    spool.close()
