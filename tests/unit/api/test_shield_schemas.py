"""JSON schemas on their way to an engine."""

from typing import Any

import pytest

from lib.api.shield import schemas
from lib.api.shield.told import Told
from lib.api.shield.values import WrongField

GOOD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 50},
        "kids": {"type": "array", "items": {"$ref": "#"}, "maxItems": 10},
        "kind": {"anyOf": [{"$ref": "#/$defs/kind"}, {"type": "null"}]},
    },
    "required": ["name"],
    "$defs": {"kind": {"enum": ["a", "b"]}},
    "additionalProperties": False,
}


def mended(schema: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    told = Told()
    return schemas.for_llamacpp(schemas.checked(schema, "s"), told, "s"), list(told.notes)


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        made = {"type": "array", "items": made}
    return made


def test_an_honest_schema_means_the_same_afterwards() -> None:
    made, notes = mended(GOOD)
    inner = {
        "name": {"type": "string", "pattern": "^[a-z]{1,50}$"},
        "kids": {"type": "array", "items": {"$ref": "#/$defs/whole"}, "maxItems": 10},
        "kind": {"anyOf": [{"$ref": "#/$defs/kind"}, {"type": "null"}]},
    }
    whole: dict[str, Any] = {"type": "object", "properties": inner, "required": ["name"]}
    whole["additionalProperties"] = False
    assert made == {**whole, "$defs": {"whole": whole, "kind": {"enum": ["a", "b"]}}}
    assert notes == []


def test_a_tools_schema_that_the_engine_understands_stays_as_its_model_reads_it() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "number", "minimum": 0}}}
    assert schemas.of_tool(plain, Told(), "f", True) == plain
    odd = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["b"]}
    made = schemas.of_tool(odd, Told(), "f", True)
    assert set(made["properties"]) == {"a", "b"}
    assert schemas.of_tool(odd, Told(), "f", False) == odd


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "https://example.org/s"}, "nothing is fetched"),
        ({"$ref": "file:///x"}, "nothing is fetched"),
        ({"$ref": 7}, "nothing is fetched"),
        ({"properties": {"a": {"$dynamicRef": "other"}}}, "nothing is fetched"),
        (nested(40), "nested too deeply"),
        ({"enum": ["x" * 70_000]}, "characters"),
        ({"type": "string", "minLength": 2_000}, "minLength"),
        ({"type": "string", "maxLength": -1}, "no count"),
        ({"type": "string", "maxLength": True}, "no count"),
        ({"type": "string", "pattern": "a" * 301}, "pattern"),
        ({"type": "string", "pattern": "(a{40}){40}"}, "pattern"),
        ({"type": "string", "pattern": 7}, "pattern"),
        ({"anyOf": [{"pattern": "a"}] * 101}, "too many parts"),
        ({"anyOf": [{}] * 4_001}, "too many parts"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"type": "number", "maximum": float("inf")}, "number"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_would_cost_an_engine_too_much_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongField, match=why):
        schemas.checked(schema, "s")


def test_a_schema_that_unfolds_to_more_places_than_are_allowed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schemas, "MOST_PLACES", 5)
    part = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    with pytest.raises(WrongField, match="too many places"):
        schemas.checked({"anyOf": [{"$ref": "#/$defs/p"}] * 2, "$defs": {"p": part}}, "s")


def test_a_required_name_that_is_not_listed_is_listed() -> None:
    made, _ = mended({"type": "object", "properties": {}, "required": ["a"]})
    assert made["properties"] == {"a": {}}
    rule = {"type": "string"}
    made, _ = mended({"type": "object", "required": ["a"], "additionalProperties": rule})
    assert made["properties"] == {"a": rule}
    with pytest.raises(WrongField, match="“required” of the reply has “a”"):
        mended({"type": "object", "required": ["a"], "additionalProperties": False})


def test_true_is_an_empty_schema_and_false_is_nothing() -> None:
    made, _ = mended({"type": "object", "properties": {"a": True, "b": False}, "anyOf": [True]})
    assert made == {"type": "object", "properties": {"a": {}}}
    assert mended({"type": "array", "items": False})[0] == {"const": []}
    with pytest.raises(WrongField, match="“minItems”"):
        mended({"type": "array", "items": False, "minItems": 1})


def test_bounds_that_the_engine_would_refuse_are_none() -> None:
    text = {"type": "string", "maxLength": 9_999}
    made, notes = mended({"type": "array", "maxItems": 2_000, "items": text})
    assert made == {"type": "array", "items": {"type": "string"}}
    assert notes == ["s: the engine does not enforce maxItems, maxLength"]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"type": "number", "minimum": 0}, "minimum"),
        ({"uniqueItems": True}, "uniqueItems"),
        ({"not": {"const": 1}}, "not"),
        ({"type": "string", "format": "ipv6"}, "format"),
        ({"type": "string", "pattern": r"\bword"}, "pattern"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_engine_ignores_is_told(part: dict[str, Any], name: str) -> None:
    _, [note] = mended({"properties": {"a": part}, "$defs": {"a": {}}})
    assert "does not enforce" in note and name in note
    assert mended({"properties": {"a": {"type": "integer", "minimum": 0}}})[1] == []


def test_a_tool_loses_its_wild_patterns_and_nothing_else() -> None:
    told = Told()
    wild = {"properties": {"mail": {"type": "string", "pattern": "^(?!x).*$"}}}
    assert schemas.tamed(wild, told, "tools.f") == {"properties": {"mail": {"type": "string"}}}
    assert list(told.ignored) == ["tools.f: pattern"]
    assert "pattern" in wild["properties"]["mail"]
