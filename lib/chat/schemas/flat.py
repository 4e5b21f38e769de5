"""Parts of schemas that ask for several things at once, as one part that asks for all of them.

A flat part has no unions and no references. Beside the keywords that a grammar can hold to it has
`PATTERNS` and `FORMATS`, each a list, and `ORIGINS`: the parts as they were written.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from lib.chat import linear_pattern
from lib.core.errors import BadInput
from lib.core.names import shown

Schema = dict[str, Any]

PATTERNS, FORMATS, ORIGINS = " patterns", " formats", " origins"  # no keyword begins with a space
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
ANNOTATIONS = (
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
    "contentEncoding", "contentMediaType",
)  # fmt: skip
# What each keyword has to be; what is otherwise is refused, as the engine would.
_SHAPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), (dict,)),
    **dict.fromkeys(("$defs", "definitions", "dependentRequired"), (dict,)),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "enum"), (list,)),
    **dict.fromkeys(("items", "additionalProperties", "contains", "propertyNames"), (dict, bool)),
    **dict.fromkeys(("not", "if", "then", "else"), (dict, bool)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (int, float)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), (int, float)),
    **dict.fromkeys(("minProperties", "maxProperties", "multipleOf"), (int, float)),
    **dict.fromkeys(("minContains", "maxContains"), (int, float)),
    **dict.fromkeys(("pattern", "format", "$ref"), (str,)),
    "type": (str, list),
}


class UnusableError(BadInput, code="invalid_value", status=400):
    """No grammar can be made of this schema; `keyword` is why."""

    def __init__(self, message: str, keyword: str) -> None:
        super().__init__(message, "Look at this part of it.")
        self.keyword = keyword


class ContradictionError(Exception):
    """Nothing can be like this part; `keyword` is why, `why` a sentence's end."""

    def __init__(self, keyword: str, why: str) -> None:
        super().__init__(why)
        self.keyword, self.why = keyword, why


def check_shapes(part: Schema, place: str) -> None:
    """UnusableError for a keyword that is not what it has to be."""
    for name, kinds in _SHAPES.items():
        value = part.get(name)
        if value is None and name not in part:
            continue
        is_flag = isinstance(value, bool) and bool not in kinds
        if not isinstance(value, kinds) or is_flag:
            raise UnusableError(f"“{name}” of {place} is not what a schema has there.", name)
    for name in types_of(part) or ():
        if name not in TYPES:
            raise UnusableError(f"“type” of {place} is “{shown(str(name))}”: no such type.", "type")
    for name in ("enum", "anyOf", "oneOf", "allOf"):
        if part.get(name) == []:
            raise UnusableError(f"“{name}” of {place} is empty: nothing can be like it.", name)


def types_of(part: Schema) -> list[str] | None:
    """Of what types it may be; None: of any."""
    found = part.get("type")
    if found is None:
        return None
    made = [found] if isinstance(found, str) else list(found)
    return [*made, "null"] if part.get("nullable") is True and "null" not in made else made


def flat_of(part: Schema) -> Schema:
    """A part without unions and references; what no grammar knows stays in `ORIGINS`."""
    made = {name: value for name, value in part.items() if name in _MERGED}
    required = part.get("required")
    if isinstance(required, list):  # `true` is of an older draft and means nothing here
        made["required"] = [name for name in required if isinstance(name, str)]
    if types := types_of(part):
        made["type"] = types
    if "const" in part:
        made["enum"] = [part["const"]]
    if "pattern" in part:
        made[PATTERNS] = [part["pattern"]]
    if "format" in part:
        made[FORMATS] = [part["format"]]
    if "contains" in part:
        made["minItems"] = max(part.get("minItems", 0), part.get("minContains", 1))
    if set(part) - {*ANNOTATIONS}:
        made[ORIGINS] = [part]
    return made


def merged(one: Schema, other: Schema) -> Schema:
    """What both ask for; ContradictionError where nothing can be like both."""
    made = {**one, **other}
    for name, join in _MERGED.items():
        if name in one and name in other:
            made[name] = join(one[name], other[name])
    if {"properties", "additionalProperties", "patternProperties"} & {*made}:
        made |= _objects(one, other)
    if "prefixItems" in one or "prefixItems" in other:
        made |= _lists(one, other)
    return made


def apart(one: Schema, other: Schema) -> bool:
    """Is it plain that no value is like both?"""
    try:
        merged(one, other)
    except ContradictionError:
        return True
    both = {*one.get("required", ())} & {*other.get("required", ())}
    are_objects = types_of(one) == types_of(other) == ["object"]
    return are_objects and any(_values_apart(of_name(one, n), of_name(other, n)) for n in both)


def _values_apart(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict) or "$ref" in {*one, *other}:
        return False
    try:
        merged(flat_of(one), flat_of(other))
    except ContradictionError:
        return True
    return False


def all_of(parts: Sequence[Any]) -> Any:
    """One part for all of these."""
    left = [part for part in parts if part is not True and part != {}]
    if any(part is False for part in left):
        return False
    return {} if not left else left[0] if len(left) == 1 else {"allOf": left}


def of_name(flat: Schema, name: str) -> Any:
    """What the value under this name has to be like."""
    found = []
    if name in flat.get("properties", {}):
        found.append(flat["properties"][name])
    found += [part for key, part in flat.get("patternProperties", {}).items() if _fits(key, name)]
    if not found and "additionalProperties" in flat:
        found.append(flat["additionalProperties"])
    return all_of(found)


def of_place(flat: Schema, number: int) -> Any:
    """What the item of a list at this place has to be like."""
    first = flat.get("prefixItems", [])
    return first[number] if number < len(first) else flat.get("items", {})


def _fits(pattern: str, name: str) -> bool:
    try:
        linear_pattern.check(pattern)
        return linear_pattern.is_in(pattern, name)
    except BadInput:
        return False


def _objects(one: Schema, other: Schema) -> Schema:
    names = [*dict.fromkeys([*one.get("properties", {}), *other.get("properties", {})])]
    made: Schema = {
        "properties": {name: all_of([of_name(one, name), of_name(other, name)]) for name in names}
    }
    others = [part["additionalProperties"] for part in (one, other) if _has_others(part)]
    if others:
        made["additionalProperties"] = all_of(others)
    patterns = [part["patternProperties"] for part in (one, other) if "patternProperties" in part]
    if patterns:
        keys = dict.fromkeys(key for found in patterns for key in found)
        made["patternProperties"] = {
            key: all_of([found[key] for found in patterns if key in found]) for key in keys
        }
    return made


def _has_others(part: Schema) -> bool:
    return "additionalProperties" in part


def _lists(one: Schema, other: Schema) -> Schema:
    longest = max(len(one.get("prefixItems", [])), len(other.get("prefixItems", [])))
    made: Schema = {
        "prefixItems": [
            all_of([of_place(one, number), of_place(other, number)]) for number in range(longest)
        ]
    }
    if "items" in one or "items" in other:
        made["items"] = all_of([one.get("items", {}), other.get("items", {})])
    return made


def _types(one: list[str], other: list[str]) -> list[str]:
    both = [name for name in one if name in other]
    wholes = ("integer" in one and "number" in other) or ("integer" in other and "number" in one)
    made = both + (["integer"] if wholes and not {"integer", "number"} & {*both} else [])
    if not made:
        said = f"is “{' or '.join(one)}” and “{' or '.join(other)}” at once"
        raise ContradictionError("type", said)
    return made


def _values(one: list[Any], other: list[Any]) -> list[Any]:
    known = {canonical(value) for value in other}
    made = [value for value in one if canonical(value) in known]
    if not made:
        raise ContradictionError("enum", "has no value that all its parts allow")
    return made


def canonical(value: Any) -> str:
    """Equal values have equal ones: 1.0 is 1, and the order of names does not matter."""
    return json.dumps(_plain_number(value), sort_keys=True)


def _plain_number(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, list):
        return [_plain_number(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain_number(each) for name, each in value.items()}
    return value


def _both(one: list[Any], other: list[Any]) -> list[Any]:
    return one + [each for each in other if each not in one]


def _all(one: Any, other: Any) -> Any:
    return all_of([one, other])


def _first(one: Any, other: Any) -> Any:
    return one


_MERGED: dict[str, Callable[[Any, Any], Any]] = {
    "type": _types,
    "enum": _values,
    "required": _both,
    PATTERNS: _both,
    FORMATS: _both,
    ORIGINS: lambda one, other: [*one, *other],
    **dict.fromkeys(("minimum", "exclusiveMinimum"), max),
    **dict.fromkeys(("minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum"), min),
    **dict.fromkeys(("maxLength", "maxItems", "maxProperties"), min),
    "items": _all,
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), _first),
    "prefixItems": _first,
    "multipleOf": lambda one, other: math.lcm(one, other) if _are_whole(one, other) else one,
    "propertyNames": _all,
}


def _are_whole(*numbers: Any) -> bool:
    return all(isinstance(number, int) for number in numbers)
