"""Is an answer what a JSON schema asks for?

Schemas come from people, and with conversations from files of strangers. So a schema has a bounded
size, refers to nothing but its own parts, and nothing is ever fetched; its patterns cannot run
away (lib/chat/linear_pattern.py); and a check that takes too long is given up
(lib/chat/schemas/validator.py).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from lib.chat import linear_pattern, schemas
from lib.chat.schemas.validator import GivenUpError, validator
from lib.core.errors import BadInput
from lib.core.names import shown

OK = "ok"
UNFINISHED = "It was not finished."
LONGEST_SCHEMA = 20_000  # characters
LONGEST_ANSWER = 200_000

_OWN_PART = re.compile(r"#(/(\$defs|definitions|properties)/[^/]+|/items)*")
_UNSUPPORTED = (
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
    "$anchor",
)
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def parsed(text: str) -> dict[str, Any]:
    """The schema that a text holds, or BadInput with what is wrong with it."""
    if why := _problem(text):
        raise BadInput(*why)
    schema: dict[str, Any] = json.loads(text)
    return schema


@lru_cache(maxsize=64)
def _problem(text: str) -> tuple[str, str] | None:
    """Why this cannot be used as a schema, and what to do."""
    try:
        schema = _loaded(text)
        _check_schema(schema)
        schemas.rewritten(schema)  # nothing may be like it
    except BadInput as error:
        return error.message, error.fix
    return None


def _loaded(text: str) -> dict[str, Any]:
    if len(text) > LONGEST_SCHEMA:
        raise BadInput(
            f"This schema has {len(text):,} characters.", f"One of {LONGEST_SCHEMA:,} is the most."
        )
    try:
        schema = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This is not JSON{_place(error)}.", "Mend it there.") from None
    if not isinstance(schema, dict):
        raise BadInput(
            f"A schema is an object, this is {_KINDS[type(schema)]}.",
            'Begin with {"type": "object"}.',
        )
    return schema


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _place(error: Exception) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return ""
    said = error.msg[0].lower() + error.msg[1:]
    return f": {said} (line {error.lineno}, column {error.colno})"


def _check_schema(schema: dict[str, Any]) -> None:
    fix = "Look at this part of it."
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
        for part in _parts(schema):
            _check_part(part, schema)
    except SchemaError as error:
        raise BadInput(f"This is JSON, but no schema. {_sentence(error)}", fix) from None
    except RecursionError:
        raise BadInput("This schema is nested too deeply.", "Make it flatter.") from None


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and every schema in it."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += DRAFT202012.subresources_of(part)


def _check_part(part: dict[str, Any], whole: dict[str, Any]) -> None:
    # A part of another dialect would be checked by that dialect's rules, not by ours.
    foreign = [name for name in ("$schema", "$id") if name in part and part is not whole]
    for name in [name for name in _UNSUPPORTED if name in part] + foreign:
        raise BadInput(f"“{name}” is not supported in a schema.", "Leave it out.")
    for pattern in (*([part["pattern"]] if "pattern" in part else ()), *_named(part)):
        linear_pattern.check(pattern)
    if "$ref" in part:
        _check_reference(part["$ref"], whole)


def _named(part: dict[str, Any]) -> Iterator[str]:
    return iter(part.get("patternProperties", {}))


def _check_reference(reference: str, whole: dict[str, Any]) -> None:
    if not _OWN_PART.fullmatch(reference):
        raise BadInput(
            f"“{shown(reference)}” refers to something outside this schema; nothing is fetched.",
            "Put that part under $defs, and refer to it as #/$defs/name.",
        )
    registry: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(whole))
    try:
        registry.resolver().lookup(reference)
    except Unresolvable:
        raise BadInput(
            f"“{shown(reference)}” refers to a part that this schema does not have.", "Add it."
        ) from None


def check(text: str, schema: Mapping[str, Any]) -> str:
    """`OK`, or a sentence that says where the text is not what the schema asks for."""
    too_much = "It is too large to be checked against its schema."
    if len(text) > LONGEST_ANSWER:
        return too_much
    try:
        _check_schema(dict(schema))
        found = json.loads(text, parse_constant=_refuse)
        wrong = best_match(validator(schema).iter_errors(found))
    except BadInput as error:
        return f"The schema cannot be used. {error.message}"
    except GivenUpError:
        return too_much
    except RecursionError:
        return "It is nested too deeply, or its schema goes in circles."
    except ValueError as error:
        return f"It is not JSON{_place(error)}."
    except ArithmeticError:
        return "It has a number that is too large to be checked."
    return _sentence(wrong) if wrong else OK


def _sentence(error: ValidationError | SchemaError) -> str:
    """`At items[0].name: should be a text, is a number.`"""
    place = shown(error.json_path.removeprefix("$").removeprefix("."), 100)
    said = _SENTENCES.get(str(error.validator), _other_sentence)(error)
    return f"At {place}: {said}." if place else f"{said[0].upper()}{said[1:]}."


def _type_sentence(error: ValidationError) -> str:
    wanted, found = error.validator_value, error.instance
    kinds = [wanted] if isinstance(wanted, str) else wanted
    kind = "a number with a fraction" if isinstance(found, float) else _KINDS[type(found)]
    return f"should be {' or '.join(_NAMES[kind] for kind in kinds)}, is {kind}"


def _required_sentence(error: ValidationError) -> str:
    missing = [name for name in error.validator_value if name not in error.instance]
    return f"“{shown(missing[0])}” is missing"


def _unknown_sentence(error: ValidationError) -> str:
    known, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
    others = [name for name in error.instance if name not in known]
    unknown = [n for n in others if not any(linear_pattern.is_in(each, n) for each in patterns)]
    return f"“{shown(unknown[0])}” is not in the schema"


def _values_sentence(error: ValidationError) -> str:
    one_of = "one of " if error.validator == "enum" else ""
    return f"should be {one_of}{_short(error.validator_value)}, is {_short(error.instance)}"


def _other_sentence(error: ValidationError) -> str:
    return f"does not keep to “{error.validator}: {_short(error.validator_value)}”"


def _short(value: Any) -> str:
    return shown(json.dumps(value, ensure_ascii=False))


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "type": _type_sentence,
    "required": _required_sentence,
    "additionalProperties": _unknown_sentence,
    "enum": _values_sentence,
    "const": _values_sentence,
    "anyOf": lambda error: f"{_short(error.instance)} fits none of the allowed forms",
    "oneOf": lambda error: f"{_short(error.instance)} does not fit exactly one allowed form",
    "format": lambda error: f"{_short(error.instance)} is no {shown(str(error.validator_value))}",
    "uniqueItems": lambda _: "has the same item twice",
    "None": lambda error: f"{_short(error.instance)} should not be there",  # the schema `false`
}
