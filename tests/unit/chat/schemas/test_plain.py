"""Schemas of tools that stay as they are written, because the engine takes them so."""

from typing import Any

import pytest

from lib.chat.schemas import is_plain

PLAIN: list[dict[str, Any]] = [
    {},
    {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "x"}},
        "required": ["a"],
    },
    {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/one"}], "$defs": {"one": {"type": "integer"}}},
    {"type": "number", "minimum": 0, "multipleOf": 2},
    {"type": "string", "pattern": "^[a-z]+$"},
    {"type": "object", "additionalProperties": False},
]
ODD: list[dict[str, Any]] = [
    {"properties": {"a": True}},
    {"items": False},
    {"required": ["a"]},
    {"$ref": "#"},
    {"$ref": "#/$defs/a", "minLength": 1},
    {"anyOf": [{"type": "null"}], "type": "object"},
    {"allOf": [{}]},
    {"pattern": r"\d"},
    {"pattern": "^a$", "maxLength": 3},
    {"prefixItems": [{}], "items": {}},
    {"patternProperties": {}},
    {"minItems": 3_000},
    {"type": "any"},
    {"enum": []},
    {"anyOf": []},
    {"$defs": {"a-b": {}, "a_b": {}}},
]


@pytest.mark.parametrize("schema", PLAIN, ids=str)
def test_what_the_engine_takes_for_what_it_says_is_plain(schema: dict[str, Any]) -> None:
    assert is_plain(schema)


@pytest.mark.parametrize("schema", ODD, ids=str)
def test_what_it_would_take_for_something_else_is_not(schema: dict[str, Any]) -> None:
    assert not is_plain(schema)
    assert not is_plain({"type": "array", "items": schema}) or "$defs" in schema
