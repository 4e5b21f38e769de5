"""The rules by which values are checked: JSON Schema of 2020-12, in bounded time.

Formats are checked, and `nullable: true` means what OpenAPI 3.0 and the engines take it for.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators
from referencing import Registry

from lib.chat import linear_pattern
from lib.chat.schemas import formats

MOST_UNIQUE = 500  # items are compared each with each
SECONDS = 1.0

Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Errors | None]


class GivenUpError(Exception):
    """The check would take too long."""


def validator(schema: Mapping[str, Any], seconds: float = SECONDS) -> Any:
    """Every keyword of it looks at the clock first, and none knows how to fetch anything."""
    keywords: dict[str, Any] = {**Draft202012Validator.VALIDATORS, **_OURS}
    keywords["uniqueItems"] = partial(_unique, keywords["uniqueItems"])
    keywords["type"] = partial(_type, keywords["type"])
    give_up_at = time.monotonic() + seconds
    watched = {name: partial(_watched, run, give_up_at) for name, run in keywords.items()}
    registry: Registry[Any] = Registry()
    return validators.extend(Draft202012Validator, watched)(dict(schema), registry=registry)


def _watched(
    run: Keyword, give_up_at: float, found: Any, value: Any, instance: Any, schema: Any
) -> Errors | None:
    if time.monotonic() > give_up_at:
        raise GivenUpError
    return run(found, value, instance, schema)


def _type(run: Keyword, found: Any, value: Any, instance: Any, schema: Any) -> Errors | None:
    if instance is None and schema.get("nullable") is True:
        return None
    return run(found, value, instance, schema)


def _pattern(_: Any, pattern: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not _is_in(pattern, instance):
        yield ValidationError("does not match")


def _format(_: Any, name: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not formats.is_like(instance, name):
        yield ValidationError("is of another format")


def _of_patterns(found: Any, patterns: dict[str, Any], instance: Any, schema: Any) -> Errors:
    for pattern, part in patterns.items() if isinstance(instance, dict) else ():
        for name in [name for name in instance if _is_in(pattern, name)]:
            yield from found.descend(instance[name], part, path=name, schema_path=pattern)


def _additional(found: Any, part: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [name for name in instance if name not in known]
    for name in [name for name in others if not any(_is_in(each, name) for each in patterns)]:
        if part is False:
            yield ValidationError(f"{name} is not in the schema")
        else:
            yield from found.descend(instance[name], part, path=name)


def _is_in(pattern: str, text: str) -> bool:
    if linear_pattern.is_too_long(pattern, text):
        raise GivenUpError
    return linear_pattern.is_in(pattern, text)


def _unique(run: Keyword, found: Any, value: Any, instance: Any, schema: Any) -> Errors | None:
    if isinstance(instance, list) and len(instance) > MOST_UNIQUE:
        raise GivenUpError
    return run(found, value, instance, schema)


_OURS: dict[str, Keyword] = {
    "pattern": _pattern,
    "format": _format,
    "patternProperties": _of_patterns,
    "additionalProperties": _additional,
}
