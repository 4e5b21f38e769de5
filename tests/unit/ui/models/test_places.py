"""Rows keep their place while somebody looks, and what went is told."""

from typing import Any

from lib.engines.base import Model, State
from lib.fleet.figures import Figures, arranged
from lib.fleet.removals import Removal
from lib.ui.models.gone import sentence
from lib.ui.models.places import ordered


def row(name: str, state: State = State.STOPPED, **known: Any) -> Figures:
    model = Model.model_validate({"name": name, "engine": "llamacpp", "state": state, **known})
    return Figures(model, state, 0, False, 0, None, None, None)


def removed(frees_bytes: int, **known: Any) -> Figures:
    asked = Removal(
        engine="llamacpp", model="tiny", identity="x", frees_bytes=frees_bytes, asked_at=1.0
    )
    return row("tiny", **known)._replace(removal=asked)


def names(found: list[Figures]) -> str:
    return " ".join(one.model.name for one in found)


def test_one_that_is_stopped_stays_where_it_was() -> None:
    before = arranged([row("a"), row("b", State.READY), row("c")])
    assert names(before) == "b a c"
    after = arranged([row("a"), row("b"), row("c", State.READY)])
    assert names(after) == "c a b"
    assert names(ordered(after, [one.key for one in before])) == "b a c"


def test_a_new_one_stands_behind_the_one_it_follows() -> None:
    known = [one.key for one in (row("b"), row("d"))]
    assert names(ordered([row("a"), row("b"), row("c"), row("d")], known)) == "a b c d"


def test_without_known_places_nothing_changes() -> None:
    found = [row("b"), row("a")]
    assert ordered(found, []) == found


def test_what_was_freed_is_told_and_of_a_link_where_its_file_stays() -> None:
    assert sentence(removed(491_000_000)) == "**tiny** is removed, 491 MB freed."
    link = sentence(removed(0, stays_at="/disk/tiny.gguf"))
    assert link.replace("\\", "") == (
        "**tiny** is off the list. The file stays at /disk/tiny.gguf."
    )
