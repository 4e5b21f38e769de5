"""Schemas and answers: what matches, what does not, and what is meant to hang."""

import json
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls

from lib.chat import linear_pattern
from lib.chat.conversations import answer
from lib.chat.reply import (
    Figures,
    Reply,
    ReplyRequest,
    ReplyState,
)
from lib.chat.schema_check import (
    LONGEST_ANSWER,
    LONGEST_SCHEMA,
    OK,
    check,
    parsed,
)
from lib.core.errors import BadInput
from lib.engines.base import ChatOptions, Message

PERSON: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": r"^\w+$"},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
        "home": {"$ref": "#/$defs/place"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
TOO_MUCH = "It is too large to be checked against its schema."
DOUBLINGS = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "not",
        "$ref",
        "$defs",
        "$id",
        "$schema",
        "pattern",
        "minimum",
        "multipleOf",
        "uniqueItems",
        "if",
        "then",
        "additionalProperties",
        "prefixItems",
        "$anchor",
        "dependentSchemas",
        "propertyNames",
        "format",
        "maxLength",
        "contains",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["string", "object", "#", "#/$defs/a", "^a+$", "(a", "http://x/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=3),
    max_leaves=10,
)


def test_an_answer_that_matches_is_ok() -> None:
    full = {"name": "Ada", "age": 36, "tags": ["a", "b"], "home": {"city": "London"}}
    assert check(json.dumps(full), PERSON) == OK
    assert check('\n {"name": "Ada"} ', parsed(json.dumps(PERSON))) == OK


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "It is not JSON: expecting value (line 1, column 1)."),
        ("Here you are: {}", "It is not JSON: expecting value (line 1, column 1)."),
        ('{"name": "Ada"', "It is not JSON: expecting ',' delimiter (line 1, column 15)."),
        ('{"name": NaN}', "It is not JSON."),
        ("[]", "Should be an object, is a list."),
        ("{}", "“name” is missing."),
        ('{"name": null}', "At name: should be a text, is null."),
        ('{"name": "Ada", "age": 1.5}', "whole number, is a number with a fraction"),
        ('{"name": "Ada", "age": true}', "At age: should be a whole number, is true or false."),
        ('{"name": "Ada", "age": -1}', "At age: does not keep to “minimum: 0”."),
        ('{"name": "a b"}', "At name: does not keep to “pattern: "),
        ('{"name": "a", "x": 1}', "“x” is not in the schema."),
        ('{"name": "a", "tags": ["a", "c"]}', 'At tags[1]: should be one of ["a", "b"], is "c".'),
        ('{"name": "a", "tags": ["a", "a"]}', "At tags: has the same item twice."),
        ('{"name": "a", "home": {"city": 1}}', "At home.city: should be a text, is a number."),
    ],
)
def test_the_first_place_that_does_not_match_is_named(text: str, said: str) -> None:
    assert said in check(text, PERSON)


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"const": 1}, "2", "Should be 1, is 2."),
        ({"anyOf": [{"minimum": 3}, {"maximum": 1}]}, "2", "fits none of the allowed forms"),
        ({"oneOf": [{}, {}]}, "2", "does not fit exactly one"),
        ({"properties": {"a": False}}, '{"a": 1}', "1 should not be there."),
    ],
)
def test_other_rules_have_their_sentence_too(schema: dict[str, Any], text: str, said: str) -> None:
    assert said in check(text, schema)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not JSON: expecting property name"),
        ("", "This is not JSON"),
        ('{"minimum": NaN}', "This is not JSON"),
        ("[" * 19_000, "This is not JSON"),
        ("true", "A schema is an object, this is true or false."),
        ('{"type": "objct"}', "no schema. At type"),
        ('{"properties": {"a": {"minimum": "3"}}}', "At properties.a.minimum"),
        (json.dumps({"description": "x" * LONGEST_SCHEMA}), "characters"),
        ('{"patternProperties": {"(?=a)b": {}}}', "look-around"),
        ('{"unevaluatedProperties": false}', "“unevaluatedProperties” is not supported"),
        ('{"items": {"$id": "http://x/"}}', "“$id” is not supported"),
        ('{"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}', "not supported"),
        ('{"$dynamicRef": "#x"}', "“$dynamicRef” is not supported"),
        ('{"$ref": "#/$defs/none"}', "does not have"),
        ('{"$ref": "#/const", "const": {"properties": 5}}', "outside this schema"),
        ('{"pattern": "(?=a)b"}', "look-around"),
        ('{"pattern": "(a{100}){100}"}', "too large"),
        ('{"pattern": "(a{100,}){0,100}"}', "too large"),
        ('{"pattern": "\\\\p{L}"}', "not one for a JSON schema"),
    ],
)
def test_what_cannot_be_a_schema_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        parsed(text)
    assert said in str(refused.value)


def test_names_of_properties_are_not_taken_for_keywords() -> None:
    names = ("patternProperties", "$id", "pattern", "$ref")
    schema = {"properties": {name: {"type": "string"} for name in names}}
    assert parsed(json.dumps(schema)) == schema


@settings(deadline=None)
@given(url=urls() | st.text().filter(lambda text: not text.startswith("#")))
def test_no_schema_reaches_out(url: str) -> None:
    with pytest.raises(BadInput, match="nothing is fetched"):
        parsed(json.dumps({"$ref": url}))


def test_a_schema_that_came_round_the_check_does_not_reach_out_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        schema = {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema"}
        assert check("1", schema).startswith("The schema cannot be used.")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"$defs": {**DOUBLINGS, "d60": {"type": "null"}}, "$ref": "#/$defs/d0"}, 1),
        ({"uniqueItems": True}, [{str(n): n} for n in range(9_000)]),
        ({"pattern": "^(a{0,10}){0,90}b$"}, "a" * 100_000),
        ({"allOf": [{"type": "string"}] * 1_000}, [1] * 60_000),
        ({}, "x" * LONGEST_ANSWER),
    ],
    ids=["doublings", "unique", "pattern", "long sentences", "long answer"],
)
def test_a_check_that_would_not_end_is_given_up(schema: dict[str, Any], found: Any) -> None:
    assert check(json.dumps(found), schema) == TOO_MUCH


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"$ref": "#"}, "1", "goes in circles"),
        ({}, "[" * 100_000, "nested too deeply"),
        ({"multipleOf": 0.1}, "9" * 4_000, "number that is too large"),
        ({"pattern": "(a+)+$"}, json.dumps("a" * 100_000 + "b"), "does not keep to"),
    ],
)
def test_what_is_meant_to_hang_gets_an_answer(schema: dict[str, Any], text: str, said: str) -> None:
    assert said.lower() in check(text, schema).lower()


@settings(deadline=None)
@given(schema=st.dictionaries(KEYWORDS, VALUES, max_size=4), found=JSON)
def test_any_schema_and_any_answer_end_in_a_sentence(schema: dict[str, Any], found: Any) -> None:
    assert check(json.dumps(found), schema)
    try:
        usable = parsed(json.dumps(schema))
    except BadInput as refused:
        assert refused.message
    else:
        assert "cannot be used" not in check("1", usable)


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_a_schema_or_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parsed(text + "{")


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\d{4}-\d{2}$", "2024-05", True),
        (r"^\d{4}-\d{2}$", "2024-5", False),
        (r"^\d$", "٣", False),
        (r"^[\w.]+$", "a_b.c", True),
        (r"^[\w.]+$", "a b", False),
        (r"b", "abc", True),
        (r"^\\d$", r"\d", True),
        (r"^\W\D$", "é!", True),
    ],
)
def test_patterns_mean_what_they_mean_in_a_schema(pattern: str, text: str, matches: bool) -> None:
    linear_pattern.check(pattern)
    assert linear_pattern.is_in(pattern, text) is matches


@settings(deadline=None)
@given(pattern=st.text(max_size=40), text=st.text(max_size=40))
def test_any_pattern_is_refused_or_matched(pattern: str, text: str) -> None:
    try:
        linear_pattern.check(pattern)
    except BadInput:
        return
    assert linear_pattern.is_in(pattern, text) in (True, False)


def replied(text: str, state: ReplyState, finish: str, schema: dict[str, Any] | None) -> Reply:
    request = ReplyRequest(
        conversation="",
        owner="",
        model="m",
        messages=(Message(role="user", content="?"),),
        options=ChatOptions(json_schema=schema),
    )
    reply = Reply("a" * 32, request)
    figures = Figures(finish_reason=finish).model_dump()
    reply.replay(iter([["t", text], ["e", str(state), figures, None]]))
    return reply


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (replied('{"name": "Ada"}', ReplyState.DONE, "stop", PERSON), OK),
        (replied("{}", ReplyState.DONE, "stop", PERSON), "“name” is missing."),
        (replied('{"na', ReplyState.DONE, "length", PERSON), "It was cut at the token limit"),
        (replied('{"na', ReplyState.STOPPED, "", PERSON), "It was not finished."),
        (replied("", ReplyState.FAILED, "", PERSON), ""),
        (replied("Hello", ReplyState.DONE, "stop", None), ""),
    ],
    ids=["matches", "does not", "cut", "stopped", "failed", "no schema"],
)
def test_a_reply_is_kept_with_what_its_schema_came_to(reply: Reply, said: str) -> None:
    check = answer(reply)["check"]
    assert check.startswith(said) if said else check == ""
