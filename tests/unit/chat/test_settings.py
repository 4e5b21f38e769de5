"""A conversation's settings: read from documents that anybody may have written."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.chat import settings as chat_settings
from lib.chat.conversations import read_document
from lib.chat.settings import (
    ChatSettings,
    changed,
    read,
    stop_sequences,
    stop_text,
)
from lib.core.errors import BadInput

SCHEMA = '{"type": "object"}'
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
NAMES = st.sampled_from([*ChatSettings.model_fields, "another"])
STOPS = st.lists(st.text(min_size=1, max_size=20).filter(lambda text: "\r" not in text), max_size=4)


def test_nothing_set_leaves_all_to_the_model() -> None:
    options = ChatSettings().options()
    given = options.model_dump(exclude_none=True)
    assert given == {"stop": ()}
    assert ChatSettings().stored() == {}
    assert ChatSettings().summary() == ""


def test_what_is_set_reaches_the_engine_and_comes_back_from_a_document() -> None:
    settings = ChatSettings(temperature=0, seed=0, stop=["END"], json_schema=SCHEMA, context=512)
    settings = settings.model_copy(update={"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.1})
    assert read(json.loads(json.dumps(settings.stored()))) == settings
    assert settings.options().temperature == 0
    assert settings.options().seed == 0
    given = settings.options()
    assert (given.top_k, given.min_p, given.repeat_penalty) == (0, 0, 1.1)
    assert settings.options().json_schema == {"type": "object"}
    assert settings.load().context == 512


@settings(deadline=None)
@given(stored=ANYTHING | st.dictionaries(NAMES, ANYTHING))
def test_whatever_a_document_holds_gives_settings_that_can_be_used(stored: Any) -> None:
    found = read(stored)
    found.options()
    found.load()
    assert read(found.stored()) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 9},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"max_tokens": 0},
        {"seed": -1},
        {"stop": ["a"] * 5},
        {"stop": [""]},
        {"stop": "END"},
        {"json_schema": "{"},
        {"json_schema": '{"$ref": "http://169.254.169.254/"}'},
        {"context": 1},
        {"system": "x" * (chat_settings.LONGEST_PROMPT + 1)},
        {"system": ["x"]},
    ],
    ids=str,
)
def test_one_value_that_cannot_be_used_costs_that_value_alone(wrong: dict[str, Any]) -> None:
    known = {"system": "Be brief.", "temperature": 0.5, **wrong}
    expected = {k: v for k, v in known.items() if k not in wrong}
    assert read(known).stored() == expected


def test_an_imported_conversation_has_its_settings_checked() -> None:
    raw = {"turns": [], "settings": {"seed": 3, "json_schema": "[", "load": {"a": 1}}}
    assert read_document(json.dumps(raw)).settings == {"seed": 3}
    assert read_document('{"turns": [], "settings": "x"}').settings == {}


def test_a_field_that_is_emptied_is_the_models_own_again() -> None:
    settings = changed(ChatSettings(), "temperature", 0.2)
    assert changed(settings, "temperature", None) == ChatSettings()
    settings = changed(ChatSettings(), "json_schema", f"  {SCHEMA}\n")
    assert settings.json_schema == SCHEMA
    assert changed(settings, "json_schema", "  ") == ChatSettings()


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("temperature", 2.1, "Temperature goes from 0 to 2."),
        ("top_p", 0.0, "more than 0"),
        ("top_k", -1, "0 to 1,000"),
        ("min_p", 1.5, "from 0 to 1"),
        ("repeat_penalty", 0.1, "from 0.5 to 2"),
        ("repeat_penalty", 2.5, "from 0.5 to 2"),
        ("max_tokens", -1, "from 1"),
        ("seed", 2**31, "2,147,483,647"),
        ("stop", "a\nb\nc\nd\ne", "4 stop sequences"),
        ("stop", "x" * 201, "200 characters"),
        ("json_schema", "{", "not JSON"),
        ("json_schema", '{"type": "objct"}', "no schema"),
        ("system", "\ud800", "system prompt"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(name: str, typed: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        changed(ChatSettings(seed=1), name, typed)


@settings(deadline=None)
@given(stops=STOPS)
def test_stop_sequences_are_typed_one_a_line_and_come_back(stops: list[str]) -> None:
    assert stop_sequences(stop_text(stops)) == stops


def test_a_line_break_can_be_a_stop_sequence() -> None:
    assert stop_sequences("\\n\\n\r\nEND\n\n") == ["\n\n", "END"]


def test_the_summary_names_what_was_set_in_a_line() -> None:
    settings = ChatSettings(system="Be brief.", json_schema=SCHEMA, temperature=0.2)
    assert settings.summary() == "System prompt · JSON · temperature 0.2"
    assert ChatSettings(temperature=0).summary() == "Temperature 0"
    choice = ChatSettings(top_k=0, min_p=0.05, repeat_penalty=1.1)
    assert choice.summary() == "Top-k 0 · min-p 0.05 · repetition penalty 1.1"
    rest = ChatSettings(top_p=0.9, max_tokens=1, seed=0, stop=["a", "b"], context=16_384)
    assert rest.summary() == (
        "Top-p 0.9 · at most 1 token · seed 0 · 2 stop sequences · context 16,384"
    )
