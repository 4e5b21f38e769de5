"""What becomes of turns, and what is said of answers without words."""

from typing import Any

import pytest

from lib.chat import prompt
from lib.chat.conversations import Turn, said
from lib.chat.reply import ReplyState


def answer(content: str = "", reasoning: str = "", reason: str = "stop", state: str = "") -> Turn:
    turn = said("assistant", content)
    figures: dict[str, Any] = {"finish_reason": reason}
    turn["reasoning"], turn["figures"] = reasoning, figures
    turn["state"] = state or str(ReplyState.DONE)
    return turn


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (answer("", "Hm", "length"), "while it was still thinking"),
        (answer("", "", "length"), "while it was still thinking"),
        (answer("", "Hm"), "ended after thinking"),
        (answer(), "without a word"),
        (answer("A word", "", "length"), ""),
        (answer("", "Hm", "", ReplyState.STOPPED), ""),
        (answer("", "", "", ReplyState.FAILED), ""),
    ],
)
def test_an_answer_without_words_says_why(turn: Turn, said: str) -> None:
    found = prompt.silence(turn)
    assert said in found
    assert bool(found) == bool(said)


def test_answers_without_words_are_not_sent() -> None:
    turns = [said("user", "a"), answer("", "Hm", "length"), said("user", "b"), answer()]
    assert [one.content for one in prompt.messages(turns, "")] == ["a", "b"]
