"""What a page has changed and its browser has not stored."""

from collections.abc import Iterator

import pytest

from lib.chat import lately
from lib.chat.conversations import Turn, said

TALK, ME = "c" * 32, "a" * 32


@pytest.fixture(autouse=True)
def nothing() -> Iterator[None]:
    lately._changes.clear()
    yield
    lately._changes.clear()


def note(known: str, revision: str, *turns: Turn, owner: str = ME) -> None:
    lately.note(TALK, owner, known, revision, turns, turns[-1]["id"] if turns else "")


def revisions(stored: str, owner: str = ME) -> list[str]:
    return [change.revision for change in lately.missed(TALK, owner, stored)]


def test_a_copy_lacks_what_came_after_its_revision() -> None:
    note("", "1")
    note("1", "2")
    note("2", "3")
    assert revisions("") == ["1", "2", "3"]
    assert revisions("2") == ["3"]
    assert revisions("3") == []


def test_where_another_tab_has_saved_it_lacks_nothing() -> None:
    note("1", "2")
    assert revisions("x") == []


def test_nobody_else_gets_it() -> None:
    note("1", "2")
    assert revisions("1", owner="b" * 32) == []


def test_turns_are_as_they_were_then() -> None:
    first, second = said("user", "One"), said("user", "Two")
    note("1", "2", first, second)
    second["content"] = "changed later"
    old = said("user", "as it was stored", first["id"])
    found = lately.caught_up([old], lately.missed(TALK, ME, "1"))
    assert [turn["content"] for turn in found] == ["One", "Two"]


def test_it_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    note("1", "2")
    monkeypatch.setattr(lately, "SECONDS", 0.0)
    assert revisions("1") == []


def test_only_so_much_is_kept() -> None:
    for number in range(lately.EACH + 5):
        note(str(number), str(number + 1))
    assert len(lately._changes[(TALK, ME)]) == lately.EACH
    for number in range(lately.CONVERSATIONS + 5):
        lately.note(f"{number:032x}", ME, "", "1", [], "")
    assert len(lately._changes) == lately.CONVERSATIONS
