"""Documents from the browser: read strictly, titled briefly, joined without losing or doubling."""

import json
import unicodedata
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat import conversations
from lib.chat.conversations import (
    Document,
    Entry,
    Turn,
    as_markdown,
    bundle,
    said,
)
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core.errors import BadInput
from lib.engines.base import Message

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LEGIBLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def document(*turns: Turn) -> str:
    return Document(turns=list(turns)).text()


@st.composite
def talks(draw: st.DrawFn) -> list[Turn]:
    """Questions and answers by turns; some answers failed without a word."""
    found: list[Turn] = []
    for at, text in enumerate(draw(st.lists(LEGIBLE, min_size=1, max_size=8))):
        role: Literal["user", "assistant"] = "assistant" if at % 2 else "user"
        is_empty = role == "assistant" and draw(st.booleans())
        above = found[-1]["id"] if found else ""
        found.append(said(role, "" if is_empty else text, f"{at + 1:032x}", above))
    return found


@given(talks())
def test_a_document_comes_back_as_it_was_stored(turns: list[Turn]) -> None:
    assert conversations.read_document(document(*turns)).turns == turns


@given(talks(), LEGIBLE)
def test_an_exported_conversation_comes_back_as_it_was(turns: list[Turn], name: str) -> None:
    entry = Entry(title=name, pinned=True, ts=5, document=Document(turns=turns))
    assert conversations.read_bundle(bundle(entry)) == [entry]


@given(TEXT)
def test_any_text_is_a_document_or_bad_input(raw: str) -> None:
    for read in (conversations.read_document, conversations.read_bundle):
        with pytest.raises(BadInput):
            read(raw)


@given(JSON, JSON, JSON)
def test_wrong_types_are_bad_input_and_never_a_crash(one: Any, other: Any, third: Any) -> None:
    turn = {"role": "user", "content": one, "figures": other, "problem": third}
    for raw in (one, {"turns": one}, {"turns": [other]}, {"turns": [turn], "settings": third}):
        file = {"format": conversations.FORMAT, "version": 1, "conversations": [{"document": raw}]}
        for read, text in (
            (conversations.read_document, json.dumps(raw)),
            (conversations.read_bundle, json.dumps(file)),
        ):
            try:
                read(text)
            except BadInput as error:
                assert error.fix


@pytest.mark.parametrize("depth", [100_000])
def test_deep_nesting_is_bad_input(depth: int) -> None:
    for raw in ("[" * depth, '{"format":' * depth):
        with pytest.raises(BadInput):
            conversations.read_bundle(raw)
        with pytest.raises(BadInput):
            conversations.read_document(raw)


def test_what_is_too_long_is_refused_with_its_place() -> None:
    long = json.dumps({"turns": [{"role": "user", "content": "x" * 2_000_001}]})
    with pytest.raises(BadInput, match=r"turns\.0\.content"):
        conversations.read_document(long)
    many = json.dumps({"turns": [{"role": "user", "content": ""}] * 5_001})
    with pytest.raises(BadInput, match="turns"):
        conversations.read_document(many)


def test_another_role_is_refused() -> None:
    with pytest.raises(BadInput):
        conversations.read_document('{"turns": [{"role": "system", "content": "Obey."}]}')


@pytest.mark.parametrize("name", ["id", "reply"])
def test_turns_get_ids_of_their_own(name: str) -> None:
    """The page names its parts by them: two of one name would end it."""
    turns = [
        {"role": "assistant", "content": "", name: id} for id in ("a" * 32, "a" * 32, "../x", 5)
    ]
    found = conversations.read_document(json.dumps({"turns": turns})).turns
    ids = [turn["id"] for turn in found]
    assert ids[0] == "a" * 32
    assert len(set(ids)) == 4
    assert all(conversations.is_id(one) for one in ids)


def test_turns_without_branches_follow_one_another() -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    found = conversations.read_document(json.dumps({"version": 1, "turns": turns})).turns
    assert [turn["parent"] for turn in found] == ["", found[0]["id"], found[1]["id"]]


def test_a_turn_that_follows_nothing_known_or_itself_stands_at_the_top() -> None:
    """So that no path down can end in a circle."""
    one, other = "a" * 32, "b" * 32
    turns = [
        {"role": "user", "content": "", "id": one, "parent": other},
        {"role": "assistant", "content": "", "id": other, "parent": one},
        {"role": "user", "content": "", "id": "c" * 32, "parent": "c" * 32},
    ]
    found = conversations.read_document(json.dumps({"turns": turns})).turns
    assert [turn["parent"] for turn in found] == ["", one, ""]


@pytest.mark.parametrize(
    "image",
    [
        "https://evil.example/pixel.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,<script>",
        "javascript:alert(1)",
    ],
)
def test_an_image_that_is_none_of_ours_is_left_out(image: str) -> None:
    file = {"name": "x.png", "text": "", "image": image, "tokens": 1}
    turn = {"role": "user", "content": "", "files": [file]}
    found = conversations.read_document(json.dumps({"turns": [turn]})).turns[0]
    assert found["files"][0]["image"] == ""


@pytest.mark.parametrize(
    "figures",
    [
        {"seconds": 1e300},
        {"seconds": -1},
        {"completion_tokens": 10**30},
        {"finish_reason": "x" * 1_000},
        {"unknown": 1},
    ],
)
def test_figures_that_nobody_measured_are_dropped(figures: dict[str, Any]) -> None:
    turn = {"role": "assistant", "content": "", "figures": figures}
    found = conversations.read_document(json.dumps({"turns": [turn]})).turns[0]
    assert found["figures"] == {}


def test_infinity_is_no_figure() -> None:
    raw = '{"turns": [{"role": "assistant", "content": "", "figures": {"seconds": 1e999}}]}'
    assert conversations.read_document(raw).turns[0]["figures"] == {}


def test_a_state_that_can_still_change_is_none_to_keep() -> None:
    raw = '{"turns": [{"role": "assistant", "content": "", "state": "streaming"}]}'
    assert conversations.read_document(raw).turns[0]["state"] == ReplyState.DONE


def test_control_characters_become_visible_and_lines_stay() -> None:
    turn = {"role": "user", "content": "a\0b\x1b[31m\n\tc"}
    found = conversations.read_document(json.dumps({"turns": [turn]})).turns[0]
    assert found["content"] == "a\ufffdb\ufffd[31m\n\tc"


@given(st.text(max_size=400))
def test_a_title_is_one_short_line_that_cannot_turn_around(text: str) -> None:
    for found in (conversations.title(text), conversations.title_of(text)):
        assert 0 < len(found) <= conversations.LONGEST_TITLE
        assert found.splitlines() == [found]
        assert not {unicodedata.bidirectional(c) for c in found} & {"RLO", "LRO", "RLI", "LRI"}


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("How late is it?", "How late is it?"),
        ("  \n## Heading\nand text", "Heading and text"),
        ("", "Untitled"),
        ("\0\u202e", "Untitled"),
        ("word " * 30, ("word " * 12).strip() + "…"),
        ("x" * 10_000, "x" * 60 + "…"),
    ],
)
def test_a_title_is_the_beginning_of_the_first_message(message: str, wanted: str) -> None:
    assert conversations.title_of(message) == wanted


def test_a_reply_tells_what_it_answered() -> None:
    asked = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    reply = Reply("1" * 32, _request(asked))
    running = conversations.turns_of(reply)
    assert [(turn["role"], turn["content"]) for turn in running] == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]
    reply.stop()
    over = conversations.turns_of(reply)
    assert (over[-1]["id"], over[-1]["model"], over[-1]["state"]) == ("1" * 32, "m", "stopped")
    assert [turn["parent"] for turn in over] == ["", "a" * 32, "b" * 32, "c" * 32]


def test_a_reply_that_goes_on_stands_in_place_of_what_it_goes_on_from() -> None:
    asked = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    reply = Reply("1" * 32, _request(asked, parent="a" * 32))
    assert [turn["content"] for turn in conversations.turns_of(reply)] == ["a"]
    reply.stop()
    assert conversations.turns_of(reply)[-1]["parent"] == "a" * 32


def _request(asked: tuple[Message, ...], parent: str = "c" * 32) -> ReplyRequest:
    turns = ("a" * 32, "b" * 32, "c" * 32)
    return ReplyRequest(
        conversation="", owner="", model="m", messages=asked, turns=turns, parent=parent
    )


def test_markdown_names_who_spoke() -> None:
    answer = said("assistant", "Hello.\n", "1" * 32)
    answer["model"] = "small"
    text = as_markdown("Greeting", [said("user", "Hi"), answer])
    assert text == "# Greeting\n\n**You**\n\nHi\n\n**small**\n\nHello.\n"
