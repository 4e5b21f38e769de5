"""Keyword by keyword: what the built-in engine is held to, and what only the check holds to.

The grammars are the engine's own. Each row has a right answer, which must be allowed, and a wrong
one, which must not be, or the keyword stands among those that only the check knows.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lib.chat import schemas
from lib.chat.schema_check import OK, check, parsed
from lib.core.errors import BadInput
from tests.support import converter
from tests.support.converter import Converter, Refused

HELD = ""
TREE = {"type": "object", "properties": {"n": {"type": "null"}, "kid": {"$ref": "#"}}}
TWINS = {
    "type": "object",
    "properties": {"x": {"$ref": "#/$defs/a-b"}, "y": {"$ref": "#/$defs/a_b"}},
    "$defs": {"a-b": {"const": 1}, "a_b": {"const": 2}},
}
Row = tuple[dict[str, Any], Any, Any, str]


def text(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


def thing(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", **keywords}


def row(**keywords: Any) -> dict[str, Any]:
    return {"type": "array", **keywords}


TEXTS: list[Row] = [
    (text(pattern=r"^\d{4}-\d{2}$"), "2026-11", "november", HELD),
    (text(pattern="[0-9]"), "room 7", "room", HELD),
    (text(pattern="^a|b$"), "xb", "xbx", HELD),
    (text(pattern="^.+$"), 'say "yes"\t', "", HELD),
    (text(pattern=r"^[^\n]*$"), "one \\ line", "two\nlines", HELD),
    (text(pattern="^ä+$"), "ää", "a", HELD),
    (text(pattern="^\U0001f600$"), "\U0001f600", "x", HELD),
    (text(pattern=r"^\"\\$"), '"\\', "x", HELD),
    (text(pattern="^(a|)*b$"), "aab", "a", HELD),
    (text(pattern="^a+?$"), "aa", "", HELD),
    (text(pattern="^[a-z]+$", maxLength=3), "abc", "abcd", HELD),
    (text(pattern="^(ab)+$", maxLength=3), "ab", "abab", "maxLength"),
    (text(pattern=r"\bword\b"), "a word", "words", "pattern"),
    (text(allOf=[{"pattern": "a"}, {"pattern": "b"}]), "ab", "a", "pattern"),
    (text(maxLength=5_000), "a", "a" * 5_001, "maxLength"),
    (text(minLength=2, maxLength=3), "ä\n", "a", HELD),
    (text(format="date"), "2024-02-29", "2023-02-29", HELD),
    (text(format="date-time"), "2024-02-29T10:00:00Z", "2024-02-29", HELD),
    (text(format="email"), "ann@example.org", "ann", HELD),
    (text(format="ipv4"), "127.0.0.1", "127.0.0.256", HELD),
    (text(format="uuid"), "123e4567-e89b-12d3-a456-426614174000", "123e4567", HELD),
    (text(format="uri"), "https://example.org/a?b#c", "example", HELD),
    (text(format="hostname"), "example.org", "-a-", HELD),
    (text(format="duration"), "P1DT2H", "1 day", HELD),
    (text(format="ipv6"), "::1", "1", "format"),
    ({"minLength": 1, "type": ["string", "null"]}, None, "", HELD),
    (text(nullable=True), None, 1, HELD),
]
NUMBERS: list[Row] = [
    ({"type": "integer", "minimum": 2.5, "exclusiveMaximum": 7}, 6, 7, HELD),
    ({"type": "integer", "minimum": 0, "maximum": 50, "multipleOf": 5}, 45, 44, HELD),
    ({"type": "integer", "multipleOf": 5}, 5, 6, "multipleOf"),
    ({"type": "number", "minimum": 0}, 0.5, -0.5, "minimum"),
    ({"type": "number", "multipleOf": 1}, 3, 3.5, HELD),
    ({"const": {"b": [1], "a": "ä"}}, {"b": [1], "a": "ä"}, {}, HELD),
    ({"enum": ["a", "abc", 7, None], "type": "string", "minLength": 2}, "abc", "a", HELD),
    ({"enum": [1, 2, 3], "not": {"const": 2}}, 3, 2, HELD),
    ({"not": {"type": ["object", "array", "number"]}}, "a", 1, HELD),
    (thing(properties={"a": {"not": {"const": "b"}}}), {"a": "c"}, {"a": "b"}, "not"),
]
OBJECTS: list[Row] = [
    (TREE, {"n": None, "kid": {"kid": {}}}, {"kid": 1}, HELD),
    (TWINS, {"x": 1, "y": 2}, {"x": 1, "y": 1}, HELD),
    ({"$ref": "#here", "$defs": {"a": {"$anchor": "here", "const": 1}}}, 1, 2, HELD),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, 1, 2, HELD),
    ({"$ref": "#/$defs/a", "maxLength": 1, "$defs": {"a": text()}}, "a", "ab", HELD),
    (thing(properties={"a": True, "b": False}), {"a": [1]}, {"b": 1}, HELD),
    (thing(required=["a"], properties={"b": text()}), {"a": 1, "b": "x"}, {"b": "x"}, HELD),
    (thing(required=["a"], additionalProperties=text()), {"a": "x"}, {"a": 1}, HELD),
    (thing(additionalProperties={"const": 1}), {"x": 1}, {"x": 2}, HELD),
    (thing(properties={"a": {"const": 1}}, minProperties=2), {"a": 1, "z": 2}, {}, "minProperties"),
    (thing(patternProperties={"^x": text()}, additionalProperties=False), {"x": "a"}, {"x": 1},
     HELD),
    (thing(patternProperties={"^x": text()}, additionalProperties=False), {"x": "a"}, {"y": "a"},
     "patternProperties"),
    (thing(properties={"a": {}, "b": {}}, dependentRequired={"a": ["b"]}), {"a": 1, "b": 2},
     {"a": 1}, HELD),
    (thing(dependentSchemas={"a": {"properties": {"b": text()}}}), {"a": 1, "b": "x"},
     {"a": 1, "b": 2}, "dependentSchemas"),
    (thing(propertyNames={"maxLength": 1}), {"a": 1}, {"ab": 1}, "propertyNames"),
    (thing(properties={"a": {"const": 1}}, anyOf=[{"required": ["a"]}, {"required": ["b"]}]),
     {"b": 1}, {}, HELD),
    ({"allOf": [thing(properties={"a": text()}), thing(required=["a"])]}, {"a": "x"}, {}, HELD),
    ({"oneOf": [thing(properties={"k": {"const": "a"}}, required=["k"]),
                thing(properties={"k": {"const": "b"}}, required=["k"])]}, {"k": "b"}, {}, HELD),
    ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 0}]}, -1, 1, "oneOf"),
    (thing(properties={"k": {}, "v": {}}, required=["k"],
           **{"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["v"]}}),
     {"k": 1, "v": 2}, {"k": 1}, "if"),
]  # fmt: skip
LISTS: list[Row] = [
    (row(items=False), [], [1], HELD),
    (row(items=text(), minItems=1), ["a"], [], HELD),
    (row(prefixItems=[text(), {"const": 1}]), ["a", 1], [1, "a"], HELD),
    (row(prefixItems=[text()], items={"const": 1}, maxItems=3), ["a", 1], [1], HELD),
    (row(prefixItems=[text()], items={"const": 1}), ["a", 1], [1, 1], "prefixItems"),
    (row(items={"const": 1}, minItems=3_000), [1] * 3_000, [1] * 2_000, "minItems"),
    (row(items={"enum": [1, 2]}, uniqueItems=True), [1, 2], [1, 1], "uniqueItems"),
    (row(contains={"const": 1}), [2, 1], [2], "contains"),
    (row(contains=True), [2], [], HELD),
]
ROWS = [*TEXTS, *NUMBERS, *OBJECTS, *LISTS]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converter]:
    with converter.running(tmp_path_factory.mktemp("engine")) as made:
        yield made


def answer(value: Any) -> str:
    """As the engine writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("schema", "right", "wrong", "loose"), ROWS, ids=[ascii(each[0])[:60] for each in ROWS]
)
def test_a_keyword_is_held_by_the_engine_or_named(
    engine: Converter, schema: dict[str, Any], right: Any, wrong: Any, loose: str
) -> None:
    made = schemas.rewritten(schema)
    grammar = engine.grammar(made.schema)
    assert grammar.accepts(answer(right))
    assert {each.keyword for each in made.loose} >= ({loose} if loose else set())
    assert grammar.accepts(answer(wrong)) == bool(loose)
    assert check(answer(right), schema) == OK or "$anchor" in answer(schema)
    assert check(answer(wrong), schema) != OK


IMPOSSIBLE = {
    "minimum": {"type": "integer", "minimum": 5, "maximum": 3},
    "exclusiveMinimum": {"type": "number", "exclusiveMinimum": 1, "maximum": 1},
    "minItems": row(minItems=2, maxItems=1),
    "minLength": text(minLength=2, maxLength=1),
    "required": thing(properties={"a": False}, required=["a"]),
    "maxProperties": thing(required=["a", "b"], maxProperties=1),
    "minProperties": thing(properties={"a": {}}, minProperties=2, additionalProperties=False),
    "type": {"allOf": [{"type": "string"}, {"type": "integer"}]},
    "enum": {"enum": ["a"], "type": "integer"},
    "multipleOf": {"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5},
    "prefixItems": row(prefixItems=[{"type": "null"}, False], minItems=2),
    "requires itself": thing(properties={"a": {"$ref": "#"}}, required=["a"]),
    "forbids every value": {"not": {}},
}


@pytest.mark.parametrize("keyword", IMPOSSIBLE)
def test_a_schema_that_nothing_can_be_like_is_refused_by_its_keyword(keyword: str) -> None:
    with pytest.raises(BadInput, match="No reply can be") as refused:
        parsed(json.dumps(IMPOSSIBLE[keyword]))
    assert keyword in str(refused.value)


@pytest.mark.parametrize(
    "schema",
    [
        TREE,
        thing(properties={"a": True}),
        row(items=False),
        row(items={"type": "integer"}, minItems=3_000),
        text(pattern="^ä+$"),
        text(pattern="^(a|)*$"),
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}},
    ],
    ids=lambda schema: ascii(schema)[:40],
)
def test_what_the_engine_refuses_as_it_is_written_it_takes_rewritten(
    engine: Converter, schema: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        engine.grammar(schema)
    assert engine.grammar(schemas.rewritten(schema).schema).rules


def test_unfolding_has_an_end() -> None:
    doublings: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)
    }
    with pytest.raises(schemas.UnusableError, match="too many parts"):
        schemas.rewritten({"$ref": "#/$defs/d0", "$defs": {**doublings, "d40": {"const": 1}}})
    deep: dict[str, Any] = {"type": "null"}
    for _ in range(200):
        deep = row(items=deep)
    with pytest.raises(schemas.UnusableError, match="nested too deeply"):
        schemas.rewritten(deep)
    with pytest.raises(schemas.UnusableError, match="with nothing between"):
        schemas.rewritten({"anyOf": [{"$ref": "#"}, {"type": "null"}]})
