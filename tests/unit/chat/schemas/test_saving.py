"""What is said of a schema where it is saved."""

import pytest

from lib.chat import schemas
from lib.chat.schema_check import OK, check
from lib.chat.schemas.saving import MOST_TOLD

PRICE = {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}


def test_a_keyword_that_only_the_check_holds_to_is_named_with_its_place() -> None:
    assert schemas.notes(PRICE, True) == ["`minimum` of price: held by the check alone."]
    unique = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    assert schemas.notes(unique, True) == ["`uniqueItems`: held by the check alone."]


def test_of_other_engines_only_what_nobody_checks_is_told() -> None:
    assert schemas.notes(PRICE, False) == []
    odd = {"type": "string", "format": "odd", "contentEncoding": "base64"}
    assert schemas.notes(odd, False) == ["`format` odd is not checked."]


def test_a_long_list_is_cut() -> None:
    many = {f"a{n}": {"type": "number", "minimum": 0} for n in range(30)}
    told = schemas.notes({"type": "object", "properties": many}, True)
    assert len(told) == MOST_TOLD + 1
    assert told[-1] == "And 22 more."


def test_where_no_type_is_named_only_something_else_fits_and_that_is_said() -> None:
    doubtful = {"properties": {"a": False}, "required": ["a"]}
    [said] = schemas.notes(doubtful, True)
    assert "“required” of the reply has “a”" in said
    assert "names no “type”" in said
    assert check("1", doubtful) == OK


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "text"}, "type"),
        ({"properties": []}, "properties"),
        ({"enum": []}, "enum"),
        ({"$ref": "#/$defs/none"}, "$ref"),
        ({"$ref": "#none"}, "$ref"),
        ({"minLength": True}, "minLength"),
        ({"items": [{}]}, "items"),
    ],
    ids=str,
)
def test_what_no_grammar_comes_of_is_refused_by_its_keyword(
    schema: dict[str, object], keyword: str
) -> None:
    with pytest.raises(schemas.UnusableError, match=rf"“{keyword.replace('$', '.')}”") as refused:
        schemas.rewritten(schema)
    assert refused.value.keyword == keyword
    assert schemas.notes(schema, True) == [str(refused.value)]


def test_null_is_right_where_the_schema_says_nullable() -> None:
    schema = {"type": "string", "nullable": True}
    assert check("null", schema) == OK
    assert schemas.rewritten(schema).schema == {"type": ["string", "null"]}


def test_names_may_be_held_to_patterns() -> None:
    schema = {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}
    assert check('{"xa": "b"}', schema) == OK
    assert check('{"xa": 1}', schema) == "At xa: should be a text, is a number."
    assert check('{"y": 1}', schema) == "“y” is not in the schema."
