"""How full a model's context is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat.context_use import CLOSE, ContextUse, context_use
from lib.chat.conversations import File, Turn, said
from lib.ui.chat import context_meter


def answer(prompt: int | None, completion: int | None, model: str = "m") -> Turn:
    turn = said("assistant", "An answer.")
    figures: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    turn["figures"], turn["model"] = figures, model
    return turn


def test_the_last_counted_answer_tells_what_was_before_it_too() -> None:
    turns = [said("user", "a"), answer(10, 20), said("user", "b"), answer(900, 304)]
    assert context_use(turns, "m", 8192) == ContextUse(1204, 8192, is_counted=True)


def test_what_follows_the_last_count_is_estimated() -> None:
    question = said("user", "x" * 360)
    question["files"] = [File(name="a.txt", text="…", image="", tokens=500)]
    turns = [said("user", "a"), answer(10, 20), question, answer(None, None)]
    use = context_use(turns, "m", 8192)
    assert use is not None
    assert not use.is_counted
    assert 30 + 100 + 500 <= use.used <= 30 + 100 + 500 + 20


def test_the_count_of_another_model_is_an_estimate_for_this_one() -> None:
    use = context_use([said("user", "a"), answer(10, 20, model="other")], "m", 8192)
    assert use == ContextUse(30, 8192, is_counted=False)


@pytest.mark.parametrize(
    ("turns", "context"),
    [
        ([], 4096),
        ([said("user", "a")], 4096),
        ([said("user", "a"), answer(None, None)], 4096),
        ([said("user", "a"), answer(10, None)], 4096),
        ([said("user", "a"), answer(10, 20)], None),
        ([said("user", "a"), answer(10, 20)], 0),
    ],
)
def test_nothing_is_said_where_nothing_is_known(turns: list[Turn], context: int | None) -> None:
    assert context_use(turns, "m", context) is None


@pytest.mark.parametrize(
    ("used", "is_close", "is_full"),
    [(0, False, False), (3276, False, False), (3277, True, False), (3969, True, True)],
)
def test_close_is_told_before_full(used: int, is_close: bool, is_full: bool) -> None:
    use = ContextUse(used, 4096)
    assert (use.is_close, use.is_full) == (is_close, is_full)


@given(st.integers(0, 10**9), st.integers(1, 10**7))
def test_the_share_stays_a_share_and_full_is_always_close(used: int, context: int) -> None:
    use = ContextUse(used, context)
    assert 0 <= use.share <= 1
    assert use.is_close or not use.is_full
    assert use.is_close == (used >= CLOSE * context)


def test_it_is_said_in_words() -> None:
    assert context_meter.said(ContextUse(1204, 8192)) == "1,204 of 8,192 tokens"
    assert context_meter.said(ContextUse(7, 9, is_counted=False)) == "about 7 of 9 tokens"
