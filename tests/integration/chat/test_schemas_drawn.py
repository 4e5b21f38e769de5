"""Schemas drawn at random, against the built-in engine's own converter.

Whatever the engine may write under the rewritten schema is what the original asks for, or fails in
a keyword that was said to be held by the check alone.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import ValidationError

from lib.chat import schemas
from lib.chat.schemas.validator import validator
from tests.support import converter
from tests.support.converter import Converter

NAMES = st.sampled_from(["a", "b", "c d", "ä"])
SMALL = st.integers(-3, 5)
COUNT = st.integers(0, 4)
VALUES = st.recursive(
    st.none() | st.booleans() | SMALL | st.sampled_from(["", "a", "ab", "x1", 'q"', "ä\n", 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
PATTERNS = st.sampled_from(
    [
        r"^\d{2}$",
        "[0-9]",
        r"^\w+$",
        "^a|b$",
        r"^.+\.$",
        '^[^"]*$',
        r"\\",
        "^(ab?)*$",
        r"^\S\s",
        "é",
        "^a{0}b*$",
        r"\bword",
        "(^a|b)$",
        r"^[\]\-^]+$",
    ]
)
FORMATS = st.sampled_from(["date", "email", "uuid", "ipv4", "ipv6", "time", "uri", "odd"])
TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"]
REFERENCES = st.sampled_from(["#", "#/$defs/one", "#/$defs/a-b", "#/$defs/a_b"])


def _keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    parts = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    return {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=4),
        "const": VALUES,
        "nullable": st.just(True),
        "properties": named,
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=1),
        "propertyNames": inner,
        "minProperties": COUNT,
        "maxProperties": COUNT,
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2), max_size=1),
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=1),
        "items": inner,
        "prefixItems": parts,
        "minItems": COUNT,
        "maxItems": COUNT,
        "uniqueItems": st.booleans(),
        "contains": inner,
        "minLength": COUNT,
        "maxLength": COUNT,
        "pattern": PATTERNS,
        "format": FORMATS,
        "minimum": SMALL | st.just(0.5),
        "maximum": SMALL,
        "exclusiveMinimum": SMALL,
        "exclusiveMaximum": SMALL,
        "multipleOf": st.sampled_from([1, 2, 3, 0.5]),
        "allOf": parts,
        "anyOf": parts,
        "oneOf": parts,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": REFERENCES,
    }


def _part(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keywords = _keywords(inner)
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({n: keywords[n] for n in names}))


PARTS: st.SearchStrategy[Any] = st.recursive(st.booleans() | st.just({}), _part, max_leaves=6)
SCHEMAS = st.builds(
    lambda whole, *defined: {
        **whole,
        "$defs": dict(zip(("one", "a-b", "a_b"), defined, strict=True)),
    },
    _part(PARTS),
    PARTS,
    PARTS,
    PARTS,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converter]:
    with converter.running(tmp_path_factory.mktemp("engine")) as made:
        yield made


def keywords_of(error: ValidationError) -> set[str]:
    """Where a value fails, with all that stands above it."""
    own = {str(step) for step in error.absolute_schema_path}
    return own.union(*(keywords_of(each) for each in error.context or ()))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.randoms(use_true_random=False))
def test_what_the_engine_may_write_is_right_or_fails_where_it_was_told(
    engine: Converter, schema: dict[str, Any], dice: random.Random
) -> None:
    try:
        made = schemas.rewritten(schema)
    except (schemas.ImpossibleError, schemas.UnusableError):
        assume(False)
    told = {loose.keyword for loose in made.loose}
    grammar, rule = engine.grammar(made.schema), validator(schema, 60)
    for _ in range(12):
        text = grammar.drawn(dice)
        assert grammar.accepts(text)
        wrong = list(rule.iter_errors(json.loads(text)))
        failed = set().union(*map(keywords_of, wrong))
        assert not wrong or failed & told, (text, made, failed)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.lists(VALUES, min_size=20, max_size=20))
@example({"properties": {"a": False}, "type": "object"}, [{}])
def test_nothing_is_like_a_schema_of_which_that_is_said(
    schema: dict[str, Any], values: list[Any]
) -> None:
    try:
        schemas.rewritten(schema)
    except schemas.ImpossibleError:
        rule = validator(schema, 60)
        assert not any(rule.is_valid(value) for value in values)
    except schemas.UnusableError:
        assume(False)
