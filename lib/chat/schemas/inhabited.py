"""What of a rewritten schema something can be like: parts that need themselves have no end."""

from collections.abc import Iterator, Mapping
from typing import Any

from lib.chat.schemas.flat import Schema, UnusableError
from lib.chat.schemas.work import NEVER
from lib.core.names import shown

_DEFINED = "#/$defs/"


def without_the_impossible(schema: Schema, named: Mapping[str, Schema]) -> Schema:
    """The schema with its definitions, without parts that nothing can be like; or NEVER."""
    _check_circles(named)
    possible = _possible(named)
    made: Schema = _pruned(schema, possible)
    if made is NEVER:
        return NEVER
    used = {name: _pruned(named[name], possible) for name in named if name in possible}
    return {**made, "$defs": used} if used else made


def _check_circles(named: Mapping[str, Schema]) -> None:
    """UnusableError where a definition is itself, with nothing between."""
    open_ends = {name: set(_same_place(part)) for name, part in named.items()}
    while ended := [name for name, ends in open_ends.items() if not ends & {*open_ends}]:
        for name in ended:
            del open_ends[name]
    if open_ends:
        name = shown(next(iter(open_ends)))
        raise UnusableError(f"“{name}” refers to itself with nothing between.", "$ref")


def _same_place(part: Schema) -> Iterator[str]:
    if "$ref" in part:
        yield part["$ref"].removeprefix(_DEFINED)
    for each in part.get("anyOf", ()):
        yield from _same_place(each)


def _possible(named: Mapping[str, Schema]) -> set[str]:
    """The names of definitions that something finite is like: found from below."""
    possible: set[str] = set()
    while True:
        more = {
            name
            for name, part in named.items()
            if name not in possible and _pruned(part, possible) is not NEVER
        }
        if not more:
            return possible
        possible |= more


def _pruned(part: Any, possible: set[str]) -> Any:
    """NEVER, or the part without alternatives and names that nothing can be like."""
    if part is NEVER or not isinstance(part, dict):
        return part
    if "$ref" in part:
        return part if part["$ref"].removeprefix(_DEFINED) in possible else NEVER
    if "anyOf" in part:
        options = [_pruned(each, possible) for each in part["anyOf"]]
        kept = [each for each in options if each is not NEVER]
        return {**part, "anyOf": kept} if kept else NEVER
    if part.get("type") == "object":
        return _object(part, possible)
    return _list(part, possible) if part.get("type") == "array" else part


def _object(part: Schema, possible: set[str]) -> Schema:
    listed = {name: _pruned(each, possible) for name, each in part.get("properties", {}).items()}
    if any(listed[name] is NEVER for name in part.get("required", ())):
        return NEVER
    made = {**part}
    if listed:
        made["properties"] = {name: each for name, each in listed.items() if each is not NEVER}
    others = _pruned(part.get("additionalProperties"), possible)
    if others is NEVER:
        made["additionalProperties"] = False
    elif others is not None:
        made["additionalProperties"] = others
    return made


def _list(part: Schema, possible: set[str]) -> Schema:
    if "prefixItems" in part:
        items = [_pruned(each, possible) for each in part["prefixItems"]]
        return NEVER if any(each is NEVER for each in items) else {**part, "prefixItems": items}
    item = _pruned(part.get("items"), possible)
    if item is not NEVER:
        return part if item is None else {**part, "items": item}
    return NEVER if part.get("minItems") else {"const": []}
