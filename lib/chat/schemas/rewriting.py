"""A schema as the built-in engine has to get it, so that it is held to what the schema says.

llama.cpp makes a grammar of a schema; some keywords it overlooks, some it refuses, and of some it
makes a grammar under which no reply can be right. The rewritten schema has only forms of which it
makes what they mean: one kind of thing a part, every definition under a plain name, patterns over
the text of the JSON. What cannot be put so is left wider, and noted: the check after the reply
(lib/chat/schema_check.py) goes by the schema as it was written. Nothing that the schema requires is
made impossible, but a part that could be anything may be held to what was surely meant: an object
that lists names has no others.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from lib.chat.schemas import groups, texts
from lib.chat.schemas.alternatives import alternatives
from lib.chat.schemas.flat import ORIGINS, ContradictionError, Schema, UnusableError, types_of
from lib.chat.schemas.inhabited import without_the_impossible
from lib.chat.schemas.validator import GivenUpError, validator
from lib.chat.schemas.work import NEVER, WHOLE, Loose, Work, described
from lib.core.errors import BadInput

_TYPES = ("object", "array", "string", "number", "boolean", "null")
_OF_TYPE = {
    "object": {
        "properties", "required", "additionalProperties", "patternProperties", "minProperties",
        "maxProperties", "propertyNames", "dependentRequired", "dependentSchemas",
    },
    "array": {
        "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains",
    },
    "string": {"pattern", "format", "minLength", "maxLength"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}  # fmt: skip
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")


class ImpossibleError(BadInput, code="invalid_value", status=400):
    """Nothing can be like this schema."""


class Rewriting(NamedTuple):
    """The schema for the engine, and what of the original it does not hold to."""

    schema: Schema
    loose: tuple[Loose, ...]
    doubts: tuple[str, ...] = ()  # what is surely not meant so, in sentences


def rewritten(schema: Schema) -> Rewriting:
    """ImpossibleError or UnusableError where no grammar can be made of it."""
    made = _rewritten(json.dumps(schema))
    return Rewriting(json.loads(made[0]), *made[1:])


@lru_cache(maxsize=64)
def _rewritten(text: str) -> tuple[str, tuple[Loose, ...], tuple[str, ...]]:
    schema = json.loads(text)
    work = Work(schema)
    try:
        made = _with_definitions(work, schema)
    except RecursionError:
        raise UnusableError("The schema is nested too deeply.", "$ref") from None
    except GivenUpError:
        raise UnusableError("The schema takes too long to be read.", "enum") from None
    if made is NEVER:
        why = work.why or "A part of it forbids every value, or requires itself without end."
        raise ImpossibleError(f"No reply can be what this schema asks for. {why}", _MEND)
    return json.dumps(made), tuple(work.loose), tuple(work.doubts)


_MEND = "Change that part of it."


def _with_definitions(work: Work, schema: Schema) -> Schema:
    made = _part(work, schema, WHOLE)
    parts: dict[str, Schema] = {}
    while left := [reference for reference in work.names if reference not in parts]:
        target = work.target(left[0], WHOLE)
        parts[left[0]] = _part(work, target, _place_of(left[0]))
    named = {work.names[reference]: part for reference, part in parts.items()}
    return without_the_impossible(made, named)


def _place_of(reference: str) -> str:
    return WHOLE if reference == "#" else reference.split("/")[-1]


def _part(work: Work, part: Any, place: str, depth: int = 0) -> Schema:
    """One part, and all in it."""
    work.visit(place, depth)
    work.depth = depth
    made: list[Schema] = []
    for each in alternatives(work, part, place):
        one = _one(work, each, place, depth)
        if one is not NEVER and one not in made:
            made.append(one)
    if not made:
        return NEVER
    said = described(part) if isinstance(part, dict) else {}
    return {**said, **(made[0] if len(made) == 1 else {"anyOf": made})}


def _one(work: Work, flat: Schema, place: str, depth: int) -> Schema:
    if "$ref" in flat:
        return {"$ref": f"#/$defs/{work.name_of(flat['$ref'])}"}
    if "enum" in flat:
        return _values(work, flat, place)
    types = _types(flat)
    kept = _of_types(work, flat, types, place, depth)
    if not kept and "type" not in flat and types:
        kept = _of_types(work, flat, _others(flat, types), place, depth)
        work.doubt(place, bool(kept))
    if not kept:
        return NEVER
    if len(kept) == 1:
        return kept[0]
    if all(set(part) == {"type"} for part in kept):
        is_any = len(kept) == len(_TYPES) and "type" not in flat
        return {} if is_any else {"type": [part["type"] for part in kept]}
    return {"anyOf": kept}


def _of_types(work: Work, flat: Schema, types: list[str], place: str, depth: int) -> list[Schema]:
    _note(work, flat, types, place)
    found = [_typed(work, flat, kind, place, depth) for kind in types]
    return [part for part in found if part is not NEVER]


def _others(flat: Schema, types: list[str]) -> list[str]:
    """Those that its keywords do not speak of: by the letter they are free."""
    forbidden = [kind for part in flat.get(ORIGINS, ()) for kind in _forbidden(part)]
    return [kind for kind in _TYPES if kind not in {*types, *forbidden}]


def _values(work: Work, flat: Schema, place: str) -> Schema:
    """Of the listed values those that all other keywords allow: then nothing is left to check."""
    rules = [validator(work.whole).evolve(schema=part) for part in flat[ORIGINS]]
    kept = [value for value in flat["enum"] if all(rule.is_valid(value) for rule in rules)]
    if not kept:
        return work.never("enum", place, "has no value that its other keywords allow")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in kept):
        work.note("enum", place)
    return {"const": kept[0]} if len(kept) == 1 else {"enum": kept}


def _types(flat: Schema) -> list[str]:
    """Those that it names; else those that its keywords speak of; else all."""
    found = flat.get("type")
    if not found:
        spoken = {name for part in flat.get(ORIGINS, ()) for name in part} | set(flat)
        found = [kind for kind in _TYPES if spoken & _OF_TYPE.get(kind, set())] or list(_TYPES)
    forbidden = [_forbidden(part) for part in flat.get(ORIGINS, ())]
    found = [kind for kind in dict.fromkeys(found) if not any(kind in none for none in forbidden)]
    return [kind for kind in found if kind != "integer" or "number" not in found]


def _forbidden(part: Schema) -> list[str]:
    """By `not`, where it speaks of types alone."""
    rule = part.get("not")
    if rule is True or rule == {}:
        return [*_TYPES, "integer"]
    if not isinstance(rule, dict) or set(rule) != {"type"}:
        return []
    found = types_of(rule) or []
    return [*found, "integer"] if "number" in found else found


def _typed(work: Work, flat: Schema, kind: str, place: str, depth: int) -> Schema:
    def inner(part: Any, where: str) -> Schema:
        return _part(work, part, where, depth + 1)

    try:
        match kind:
            case "object":
                return groups.thing(work, flat, place, inner)
            case "array":
                return groups.row(work, flat, place, inner)
            case "string":
                return texts.text(work, flat, place)
            case "number":
                return texts.number(work, flat, place)
            case "integer":
                return texts.whole(work, flat, place)
    except ContradictionError as error:
        return work.never(error.keyword, place, error.why)
    return {"type": kind}


def _note(work: Work, flat: Schema, types: list[str], place: str) -> None:
    """The keywords that no grammar knows."""
    for part in flat.get(ORIGINS, ()):
        if part.get("not", False) is not False and not _forbidden(part):
            work.note("not", place)
        if "array" in types and part.get("uniqueItems") is True and flat.get("maxItems", 2) > 1:
            work.note("uniqueItems", place)
        if "array" in types and part.get("contains", True) not in (True, {}):
            work.note("contains", place)
        if "array" in types and "contains" in part and "maxContains" in part:
            work.note("maxContains", place)
        for name in _UNEVALUATED:
            if name in part:
                work.note(name, place)
