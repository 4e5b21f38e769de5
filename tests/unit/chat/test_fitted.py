"""What a model is really sent: roles in turn, and no pictures where it cannot see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat.fitted import UNSEEN, fitted, left_out
from lib.engines.base import Message

IMAGE = "data:image/png;base64,AAAA"


def said(*parts: str, images: tuple[str, ...] = ()) -> list[Message]:
    """`u:…`, `a:…` and `s:…` as messages; the images go with the first of them."""
    roles = {"u": "user", "a": "assistant", "s": "system"}
    return [
        Message.model_validate(
            {"role": roles[part[0]], "content": part[2:], "images": () if number else images}
        )
        for number, part in enumerate(parts)
    ]


@pytest.mark.parametrize(
    ("kept", "sent"),
    [
        (["u:one", "a:two", "u:three"], ["u:one", "a:two", "u:three"]),
        (["u:stopped", "u:again"], ["u:stopped\n\nagain"]),
        (["s:be kind", "u:a", "u:b", "u:c"], ["s:be kind", "u:a\n\nb\n\nc"]),
        (["u:a", "a:b", "u:failed", "u:c", "a:d"], ["u:a", "a:b", "u:failed\n\nc", "a:d"]),
        (["a:a greeting", "u:a"], ["u:a"]),
        (["s:be kind", "a:a greeting", "a:more", "u:a"], ["s:be kind", "u:a"]),
        (["u:a", "a:b", "a:c", "u:d"], ["u:a", "a:b\n\nc", "u:d"]),
        (["u:a", "a:b", "a:to go on wi"], ["u:a", "a:to go on wi"]),
        (["u:a", "a:to go on wi"], ["u:a", "a:to go on wi"]),
        (["a:to go on wi"], ["a:to go on wi"]),
        (["u:", "u:a"], ["u:a"]),
    ],
    ids=lambda parts: " ".join(parts)[:24],
)
def test_neighbours_of_one_role_are_sent_as_one(kept: list[str], sent: list[str]) -> None:
    assert list(fitted(said(*kept), can_see=True)) == said(*sent)


@given(st.lists(st.sampled_from(["u:x", "a:y"]), max_size=12))
def test_whatever_came_to_be_a_question_comes_first_and_roles_are_in_turn(parts: list[str]) -> None:
    sent = fitted(said(*parts, "u:last"), can_see=True)
    assert [one.role for one in sent] == (["user", "assistant"] * 12)[: len(sent)]
    assert sent[-1].content.endswith("last")


def test_pictures_go_to_a_model_that_sees_and_stay_in_their_order() -> None:
    kept = [*said("u:a", images=(IMAGE,)), *said("u:b", images=(IMAGE + "BB",))]
    assert fitted(kept, can_see=True)[0].images == (IMAGE, IMAGE + "BB")
    assert left_out(kept, can_see=True) == 0


def test_a_model_that_cannot_see_gets_the_words_alone() -> None:
    kept = said("u:What is this?", "a:A cat.", "u:And now?", images=(IMAGE,))
    sent = fitted(kept, can_see=False)
    assert [one.content for one in sent] == ["What is this?", "A cat.", "And now?"]
    assert not any(one.images for one in sent)
    assert left_out(kept, can_see=False) == 1
    assert kept[0].images  # in the conversation they stay


def test_where_the_picture_was_all_the_model_is_told_of_it() -> None:
    assert fitted(said("u:", images=(IMAGE,)), can_see=False) == tuple(said(f"u:{UNSEEN}"))
