"""JSON schemas on their way to an engine, which makes a grammar of them: bounded in every way.

Engines differ in what they enforce. What the built-in one would get wrong is put so that it gets it
right, where that means the same; what it ignores is named. A check takes a time that grows with
the schema, which is small.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lib.api.shield.told import Told
from lib.api.shield.values import WrongField, bounded
from lib.chat import linear_pattern
from lib.chat import schemas as rewriting
from lib.core.errors import BadInput
from lib.core.names import shown

LONGEST_SCHEMA = 65_536  # characters
MOST_PARTS = 4_000
MOST_PATTERNS, MOST_PATTERNS_TOGETHER = 100, 400  # each is compiled once
LONGEST_TOGETHER, MOST_TOGETHER = 2**20, 20_000  # of all tools
LONGEST_REMEMBERED = 16_384
DEEPEST = 32
PATTERN = '"pattern'
MOST_REPEATED = 1_999  # more is refused by llama.cpp, or taken for no bound at all
MOST_PLACES = 10_000  # that references and unions may unfold to

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_PARTS = (
    "items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
    "unevaluatedItems", "unevaluatedProperties", "additionalItems", "contentSchema",
)  # fmt: skip
_HOLDS = {**dict.fromkeys(_MAPS, True), **dict.fromkeys((*_LISTS, *_PARTS), False)}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_SAME_PLACE = ("anyOf", "oneOf", "allOf")  # parts that speak of the same value
_LEAST, _MOST = (
    ("minLength", "minItems", "minProperties"),
    ("maxLength", "maxItems", "maxProperties"),
)


def checked(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """The schema as it may go to any engine; WrongField with what is wrong with it."""
    bounded(schema, param)
    text = json.dumps(schema)
    if len(text) > LONGEST_SCHEMA:
        raise _wrong(param, f"has {len(text):,} characters; {LONGEST_SCHEMA:,} are the most")
    if text.count("{") > MOST_PARTS or text.count(PATTERN) > MOST_PATTERNS:
        raise _wrong(param, "has too many parts")
    for part, depth in _parts(schema):
        if depth > DEEPEST:
            raise _wrong(param, "is nested too deeply")
        _check_part(part, param)
    if "$ref" in text or 'Of"' in text:
        _check_unfolding(schema, param)
    return schema


def of_tool(schema: dict[str, Any], told: Told, tool: str, mends: bool) -> dict[str, Any]:
    """A tool's schema, known again where it was seen before: agents send theirs with every turn.

    `mends` it for the built-in engine.
    """
    bounded(schema, f"tools.{tool}")
    text = json.dumps(schema)
    if text.count(PATTERN) > MOST_PATTERNS:
        raise _wrong(f"tools.{tool}", "has too many patterns")
    make = _seen_before if len(text) <= LONGEST_REMEMBERED else _made
    made, lost = make(text, tool, mends)
    told.ignore(lost)
    return made


def _made(text: str, tool: str, mends: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    told, param = Told(), f"tools.{tool}"
    tame = tamed(json.loads(text), told, param)
    is_ready = not mends or rewriting.is_plain(tame)
    return tame if is_ready else for_llamacpp(tame, Told(), param), tuple(told.ignored)


_seen_before = lru_cache(maxsize=256)(_made)


def tamed(schema: dict[str, Any], told: Told, param: str) -> dict[str, Any]:
    """The same without patterns that no engine should get: in a tool's schema they are hints."""
    made: dict[str, Any] = json.loads(json.dumps(schema))
    for part, _ in _parts(made):
        if isinstance(part.get("pattern"), str) and not _is_tame(part["pattern"]):
            del part["pattern"]
            told.ignore([f"{param}: pattern"])
        if wild := [key for key in _keys(part.get("patternProperties")) if not _is_tame(key)]:
            part["patternProperties"] = {
                key: one for key, one in part["patternProperties"].items() if key not in wild
            }
            told.ignore([f"{param}: patternProperties"])
    return checked(made, param)


def for_llamacpp(schema: dict[str, Any], told: Told, param: str) -> dict[str, Any]:
    """The same schema, so that the built-in engine takes it for what it says.

    WrongField with the keyword's name where no grammar can be made of it.
    """
    try:
        made = rewriting.rewritten(schema)
    except (rewriting.ImpossibleError, rewriting.UnusableError) as error:
        raise WrongField(f"The schema “{param}”: {error.message}", error.fix, param) from None
    if made.loose:
        lost = rewriting.unenforced(made.loose)
        told.note(f"{param}: the engine does not enforce {lost}")
    return made.schema


def _wrong(param: str, what: str) -> WrongField:
    return WrongField(f"The schema “{param}” {what}.", "Simplify it.", param)


def _parts(schema: Any) -> Iterator[tuple[dict[str, Any], int]]:
    """Every schema in it that is an object, with its depth; examples and values are none."""
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, dict):
            yield part, depth
            waiting += [(inner, depth + 1) for inner in _inside(part)]


def _inside(part: dict[str, Any]) -> Iterator[Any]:
    for name, found in part.items():
        if name not in _HOLDS:
            continue
        if _HOLDS[name] and isinstance(found, dict):
            yield from found.values()
        elif isinstance(found, list):
            yield from found
        else:
            yield found


def _check_part(part: dict[str, Any], param: str) -> None:
    for name in _REFERENCES:
        target = part.get(name, "#")
        if not isinstance(target, str) or not target.startswith("#"):
            raise _wrong(param, f"refers to “{shown(str(target))}”, and nothing is fetched")
    for name in (*_LEAST, *_MOST):
        _check_count(part, name, param)
    pattern = part.get("pattern")
    if pattern is not None and not isinstance(pattern, str):
        raise _wrong(param, "has a pattern that is no text")
    for one in [pattern, *_keys(part.get("patternProperties"))]:
        if one is not None and not _is_tame(one):
            raise _wrong(
                param,
                f"has the pattern “{shown(one)}”, which is too large, wrong, or uses look-around",
            )


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _check_count(part: dict[str, Any], name: str, param: str) -> None:
    count = part.get(name)
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise _wrong(param, f"has a “{name}” that is no count")
    if count > MOST_REPEATED and name in _LEAST:
        raise _wrong(param, f"has a “{name}” of more than {MOST_REPEATED:,}")


def _is_tame(pattern: str) -> bool:
    try:
        linear_pattern.check(pattern)
    except BadInput:
        return False
    return True


def _check_unfolding(schema: dict[str, Any], param: str) -> None:
    """WrongField where a part refers to itself with nothing between, or many times over."""
    sizes: dict[int, int] = {}  # by the part's identity; 0: being unfolded

    def unfolded(part: dict[str, Any]) -> int:
        size = sizes.get(id(part))
        if size == 0:
            raise _wrong(param, "has a part that refers to itself with nothing between")
        if size is None:
            sizes[id(part)] = 0
            size = sizes[id(part)] = 1 + sum(map(unfolded, _same_place(part, schema)))
        if size > MOST_PLACES:
            raise _wrong(param, "unfolds to too many places")
        return size

    try:
        for part, _ in _parts(schema):
            unfolded(part)
    except RecursionError:
        raise _wrong(param, "is nested too deeply") from None


def _same_place(part: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _SAME_PLACE:
        if isinstance(part.get(name), list):
            yield from (one for one in part[name] if isinstance(one, dict))
    if isinstance(part.get("$ref"), str) and (found := _target(part["$ref"], whole)) is not None:
        yield found


def _target(reference: str, whole: dict[str, Any]) -> dict[str, Any] | None:
    found: Any = whole
    for name in reference.removeprefix("#").split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None
