"""Files of other programs: their branches, models and thoughts stay, what is no text is counted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat import imports
from lib.chat.branches import Tree
from lib.chat.conversations import Document, Entry, bundle, said
from lib.core.errors import BadInput
from tests.support import exports


def one_of(found: Any) -> tuple[Entry, str]:
    entries, note = imports.read(json.dumps(found))
    assert len(entries) == 1
    return entries[0], note


def shown(entry: Entry) -> list[tuple[str, str, str]]:
    path = Tree(entry.document.turns).path(entry.document.leaf)
    return [(turn["role"], turn["content"], turn["model"]) for turn in path]


def test_a_conversation_of_chatgpt_shows_the_branch_that_was_open() -> None:
    entry, note = one_of([exports.chatgpt()])
    assert shown(entry) == [
        ("user", "The capital of France?", ""),
        ("assistant", "It is Paris.", "gpt-4o"),
        ("user", "And this?", ""),
        ("assistant", "Italy.\n\nRome is its capital.", "gpt-5"),
    ]
    assert (entry.title, entry.ts) == ("Capitals", (1.7e9 + 60) * 1000)
    assert note == "1 picture or file was left out."


def test_its_other_branch_and_its_thoughts_are_kept() -> None:
    entry, _ = one_of(exports.chatgpt())
    tree = Tree(entry.document.turns)
    path = tree.path(entry.document.leaf)
    assert [turn["content"] for turn in tree.versions(path[1])] == ["Paris.", "It is Paris."]
    assert path[3]["reasoning"] == "A map."
    assert not any("search()" in turn["content"] for turn in entry.document.turns)


def test_a_conversation_of_open_webui_keeps_both_models_answers() -> None:
    entry, note = one_of([exports.open_webui()])
    assert shown(entry)[1:] == [("assistant", "The Amazon.", "Qwen 3"), ("user", "Sure?", "")]
    nile = next(turn for turn in entry.document.turns if turn["content"] == "The Nile.")
    assert (nile["reasoning"], nile["model"]) == ("Hm.", "llama3")
    assert entry.pinned
    assert note == "1 picture or file was left out."


def test_an_old_list_of_messages_is_read_too() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    entry, _ = one_of([{"id": "x", "title": "Old", "chat": {"messages": messages}}])
    assert [turn[:2] for turn in shown(entry)] == [("user", "a"), ("assistant", "b")]


def test_the_second_time_everything_has_the_same_ids() -> None:
    for made in (exports.chatgpt, exports.open_webui):
        first, second = (one_of([made()])[0] for _ in range(2))
        assert first == second
    other, _ = one_of([exports.chatgpt("Rivers")])
    assert other.id != one_of([exports.chatgpt()])[0].id


def test_our_own_files_are_read_as_before() -> None:
    entry = Entry(title="Mine", document=Document(turns=[said("user", "Hello")]))
    assert imports.read(bundle(entry)).entries == [entry]


def test_what_cannot_be_read_is_counted_and_the_rest_comes() -> None:
    broken: list[Any] = [{"mapping": {"a": 7}}, {"mapping": {"a": {"message": {"content": []}}}}, 5]
    entries, note = imports.read(json.dumps([*broken, exports.chatgpt()]))
    assert [entry.title for entry in entries] == ["Capitals"]
    assert "could not be read." in note


def test_a_question_that_was_a_picture_alone_keeps_its_place() -> None:
    talk = exports.chatgpt()
    talk["mapping"]["q2"]["message"]["content"]["parts"] = [{"content_type": "image_asset_pointer"}]
    entry, _ = one_of(talk)
    assert shown(entry)[2] == ("user", imports.LEFT_OUT, "")


@pytest.mark.parametrize(
    "raw",
    ["", "no", "[", "[" * 100_000, "[]", "{}", "7", '"mapping"', "[[1]]", '[{"mapping": {}}]',
     '[{"mapping": []}]', '[{"chat": {}}]', '[{"chat": 3}]', "null"],
)  # fmt: skip
def test_a_file_of_no_use_gets_a_sentence(raw: str) -> None:
    with pytest.raises(BadInput) as refused:
        imports.read(raw)
    assert refused.value.fix == imports.WANTED


def test_too_many_conversations_get_a_sentence() -> None:
    with pytest.raises(BadInput, match="10,001 conversations"):
        imports.read(json.dumps([{"mapping": {}}] * 10_001))


def test_messages_in_a_circle_and_a_chain_of_thousands_do_no_harm() -> None:
    def node(parent: str, text: str = "x") -> dict[str, Any]:
        content = {"content_type": "text", "parts": [text]}
        return {"parent": parent, "message": {"author": {"role": "user"}, "content": content}}

    circle = {"a": node("b"), "b": node("a"), "c": node("nobody", "seen")}
    entry, _ = one_of({"id": "1", "mapping": circle, "current_node": "a"})
    assert [turn["content"] for turn in entry.document.turns] == ["seen"]
    chain = {str(n): node(str(n - 1)) for n in range(4_000)}
    entry, _ = one_of({"id": "2", "mapping": chain})
    assert len(entry.document.turns) == 4_000
    with pytest.raises(BadInput):
        imports.read(json.dumps({"mapping": {str(n): node("") for n in range(6_000)}}))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["mapping", "message", "content", "parts", "author", "role", "chat",
                         "history", "messages", "parentId", "metadata", "files", "title", "id"]),
        inner, max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
def test_whatever_stands_in_a_file_it_is_read_or_refused(found: Any) -> None:
    for raw in (found, {"mapping": found}, {"chat": found}, [{"chat": {"history": found}}]):
        try:
            assert imports.read(json.dumps(raw)).entries
        except BadInput as refused:
            assert refused.fix


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"added": 2}, "Imported 2 conversations."),
        ({"known": 1}, "1 was here already."),
        ({"added": 1, "known": 3}, "Imported 1 conversation. 3 were here already."),
        ({"joined": 1}, "1 had more messages in the file, which were added."),
        ({"left": 4}, "4 did not fit into the browser's storage"),
        ({"added": 1}, "Imported 1 conversation. A note."),
    ],
)
def test_what_became_of_them_is_said(counts: dict[str, int], words: str) -> None:
    assert words in imports.outcome(counts, "A note." if "note" in words else "")
