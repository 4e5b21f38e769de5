"""Schemas that the built-in engine takes for what they say, so that they can stay as written.

Models read the schemas of tools in their prompt: there every word that can stay should.
"""

import re
from typing import Any

from lib.chat.schemas.flat import ANNOTATIONS, TYPES, Schema, types_of
from lib.chat.schemas.raw_text import MOST_TIMES, written
from lib.chat.schemas.work import parts_of

_REFERENCE = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9_-]+)")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BESIDE = {*ANNOTATIONS, "$defs", "definitions", "$schema", "$id", "$comment"}
_MANY = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "prefixItems")


def is_plain(schema: Schema) -> bool:
    """Would the engine enforce no less of it if it were rewritten, and refuse nothing?"""
    return all(_is_plain(part) for part in parts_of(schema)) and _names_differ(schema)


def _is_plain(part: Schema) -> bool:
    if "$ref" in part or "anyOf" in part or "oneOf" in part:
        alone = next(name for name in ("$ref", "anyOf", "oneOf") if name in part)
        if set(part) - {alone} - _BESIDE or not _refers(part.get("$ref")):
            return False
    return (
        not {"allOf", "patternProperties"} & set(part)
        and not {"prefixItems", "items"} <= set(part)
        and _has_parts(part)
        and _has_usual_type(part)
        and _lists_required(part)
        and all(_is_small(part.get(name, 0)) for name in _COUNTS)
        and ("pattern" not in part or _is_written(part))
    )


def _refers(reference: Any) -> bool:
    return reference is None or (
        isinstance(reference, str) and _REFERENCE.fullmatch(reference) is not None
    )


def _names_differ(schema: Schema) -> bool:
    """The engine takes `a-b` and `a_b` for the same."""
    names = [*schema.get("$defs", {}), *schema.get("definitions", {})]
    return len({name.replace("_", "-") for name in names}) == len(names)


def _has_parts(part: Schema) -> bool:
    """And none of them is true or false."""
    named = [part.get(name, {}) for name in _MANY]
    listed = [part.get(name, []) for name in _LISTS]
    if not all(isinstance(each, dict) for each in named):
        return False
    if not all(isinstance(each, list) for each in listed) or part.get("anyOf", 1) == []:
        return False
    inner = [one for each in named for one in each.values()] + [
        one for each in listed for one in each
    ]
    return all(isinstance(one, dict) for one in (*inner, part.get("items", {})))


def _has_usual_type(part: Schema) -> bool:
    found = part.get("type", [])
    is_usual = isinstance(found, str | list) and set(types_of(part) or ()) <= {*TYPES}
    return is_usual and part.get("enum", 1) != []


def _lists_required(part: Schema) -> bool:
    required = part.get("required", [])
    return not isinstance(required, list) or set(required) <= set(part.get("properties", {}))


def _is_small(count: Any) -> bool:
    return isinstance(count, int) and count <= MOST_TIMES


def _is_written(part: Schema) -> bool:
    pattern = part["pattern"]
    is_alone = not {"minLength", "maxLength"} & set(part)
    return isinstance(pattern, str) and is_alone and written(pattern) == pattern
