"""Which replies the page leaves to what its window has drawn, without a browser."""

import json
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.chat.conversations import Turn, said
from lib.chat.request import ReplyRequest
from lib.chat.spools import Header, Spool
from lib.engines.base import Message
from tests.integration.ui.chat.test_history import (
    OPEN,
    OTHER,
    SECONDS,
    document,
    heard,
    kept,
    operations,
    talk,
)

REPLY = "c" * 32
PLAIN = "One\n\nTwo\n"
RICH = "One\n\n```\nx\n```\n\nTwo\n"


def drawn(turn: Turn, told: dict[str, int]) -> tuple[list[str], list[dict[str, Any]]]:
    """What Streamlit draws of the reply as Markdown, and what it leaves to the window."""

    def script() -> None:
        import streamlit as st

        from lib.ui.chat import answer

        answer.live_text(st.session_state["test_turn"], is_new=False)

    page = AppTest.from_function(script, default_timeout=SECONDS)
    page.session_state["test_turn"], page.session_state["chat_drawn"] = turn, told
    page.run()
    assert not page.exception
    parts = [json.loads(one.proto.json) for one in page.get("bidi_component")]
    return [one.value.strip() for one in page.markdown], parts


def answer(content: str, **more: Any) -> Turn:
    turn = said("assistant", content, REPLY)
    turn.update(more)  # type: ignore[typeddict-item]
    return turn


def test_a_reply_that_nobody_has_drawn_is_drawn_by_the_page() -> None:
    assert drawn(answer(PLAIN), {}) == ([PLAIN.strip()], [])
    assert drawn(answer(PLAIN), {REPLY: 3}) == ([PLAIN.strip()], [])


def test_a_reply_that_the_window_has_drawn_stays() -> None:
    texts, parts = drawn(answer(PLAIN), {REPLY: 2})
    assert texts == []
    assert [(part["id"], part["first"], part["last"]) for part in parts] == [(REPLY, 0, 1)]


def test_code_is_drawn_by_the_page_between_what_stays() -> None:
    texts, parts = drawn(answer(RICH), {REPLY: 3})
    assert texts == ["```\nx\n```"]
    assert [(part["first"], part["last"]) for part in parts] == [(0, 0), (2, 2)]


def test_thoughts_stay_above_the_first_block() -> None:
    _, parts = drawn(answer(PLAIN, reasoning="why"), {REPLY: 2})
    assert [part["withThought"] for part in parts] == [True]
    _, parts = drawn(answer("```\nx\n```\n", reasoning="why"), {REPLY: 1})
    assert [(part["first"], part["last"], part["withThought"]) for part in parts] == [(0, -1, True)]
    _, parts = drawn(answer("", reasoning="why"), {REPLY: 0})
    assert [(part["first"], part["last"], part["withThought"]) for part in parts] == [(0, -1, True)]


def spool(reply: str, asked: Iterable[str], turns: Iterable[str], said: str, before: str) -> None:
    messages = tuple(Message(role="user", content=text) for text in asked)
    request = ReplyRequest(
        conversation=OPEN,
        owner="",
        model="m",
        messages=messages,
        turns=tuple(turns),
        parent=[*turns][-1],
        before=before,
    )
    file = Spool(reply, Header(int(reply[0], 16), OPEN, ""), request.model_dump(mode="json"))
    file.keep(["t", said])
    file.keep(["e", "done", {}, None])
    file.close()


def test_what_the_server_knows_is_put_together_from_all_its_replies() -> None:
    first, second, third = ("1" * 32, "2" * 32, "3" * 32)
    questions = ("a" * 31 + "1", "a" * 31 + "2", "a" * 31 + "3")
    spool(first, ["Q1"], [questions[0]], "A1", "")
    spool(second, ["Q2"], [questions[1]], "A2", first)
    spool(third, ["Q3"], [questions[2]], "A3", second)
    page = heard(talk(is_awaited=True), "missing", id=OPEN)
    turns = kept(page, "chat_conversation")["turns"]
    assert [turn["content"] for turn in turns] == ["Q1", "A1", "Q2", "A2", "Q3", "A3"]
    assert [turn["parent"] for turn in turns] == ["", *(turn["id"] for turn in turns[:-1])]


@pytest.mark.parametrize("opened", [OPEN, OTHER])
def test_words_that_the_window_lacks_are_sent(opened: str) -> None:
    spool(REPLY, ["Q"], ["d" * 32], "The words", "")
    question = said("user", "Q", "d" * 32)
    full = answer("The words", parent="d" * 32)
    change = json.loads(document(full))
    change["turns"][0] |= {"content": "", "sums": [zlib.crc32(b"The words"), 0]}
    event = {"id": OPEN, "mine": json.dumps(change), "rev": "r7", "turns": "2"}
    page = heard({**talk(question, full), "id": opened}, "lacking", **event)
    [put] = operations(page, "put")
    assert (put["id"], put["known"], put["turns"]) == (OPEN, "r7", 2)
    assert json.loads(put["doc"])["turns"][-1]["content"] == "The words"
