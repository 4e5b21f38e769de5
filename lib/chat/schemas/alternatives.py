"""A part of a schema as a list of flat ones, of which a value has to be like one."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from lib.chat.schemas.flat import (
    ANNOTATIONS,
    ORIGINS,
    ContradictionError,
    Schema,
    UnusableError,
    apart,
    check_shapes,
    flat_of,
    merged,
)
from lib.chat.schemas.work import MOST_ALTERNATIVES, Work

MOST_UNFOLDED = 4  # parts within each other in which a reference is merged with others

_COMBINING = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else")
_DEPENDING = ("dependentRequired", "dependentSchemas")
_OF_NO_VALUE = ("$defs", "definitions", "$schema", "$id", "$comment", "$anchor", "nullable")


def alternatives(work: Work, part: Any, place: str, within: tuple[str, ...] = ()) -> list[Schema]:
    """Flat parts, or lone references; none where nothing can be like this.

    `within` are the references that are being put in place of themselves.
    """
    work.visit(place, len(within))
    if isinstance(part, bool):
        return [{}] if part else []
    if not isinstance(part, dict):
        raise UnusableError(f"A part of {place} is no schema.", "$ref")
    check_shapes(part, place)
    rest = {name: value for name, value in part.items() if name not in _COMBINING}
    groups = _groups(work, part, place, within)
    found = [flat_of(rest)] if set(rest) - {*ANNOTATIONS, *_OF_NO_VALUE} else [{}]
    for keyword, group in groups:
        if len(found) * len(group) > MOST_ALTERNATIVES and len(found) > 1:
            work.note(keyword, place)
            continue
        found = _product(work, found, group, keyword, place, within)
    return found


def _groups(
    work: Work, part: Schema, place: str, within: tuple[str, ...]
) -> list[tuple[str, list[Schema]]]:
    """What holds besides the part's own keywords: one of each group."""
    groups: list[tuple[str, list[Schema]]] = []
    if "$ref" in part:
        groups.append(("$ref", [{"$ref": part["$ref"]}]))
    groups += [("allOf", alternatives(work, each, place, within)) for each in part.get("allOf", ())]
    for name in ("anyOf", "oneOf"):
        options = [alternatives(work, each, place, within) for each in part.get(name, ())]
        if name == "oneOf" and not _are_apart(work, options, place, within):
            work.note(name, place)
        if name in part:
            groups.append((name, [each for option in options for each in option]))
    if "if" in part and ("then" in part or "else" in part):
        work.note("if", place)
        true = {"allOf": [part["if"], part.get("then", {})]}
        both = [true, part.get("else", {})]
        groups.append(("if", [x for p in both for x in alternatives(work, p, place, within)]))
    for given, needed in _dependent(part):
        both = [{"properties": {given: False}}, {"allOf": [{"required": [given]}, needed]}]
        found = [x for p in both for x in alternatives(work, p, place, within)]
        groups.append(("dependentRequired", found))
    return groups


def _dependent(part: Schema) -> list[tuple[str, Any]]:
    names, schemas = part.get("dependentRequired", {}), part.get("dependentSchemas", {})
    return [*((given, {"required": needed}) for given, needed in names.items()), *schemas.items()]


def _are_apart(
    work: Work, options: list[list[Schema]], place: str, within: tuple[str, ...]
) -> bool:
    """Is it plain that no value is like two of these?"""
    flat = [
        [x for each in option for x in _put_in(work, each, place, within)] for option in options
    ]
    return all(
        apart(one, other)
        for number, some in enumerate(flat)
        for others in flat[number + 1 :]
        for one in some
        for other in others
    )


def _product(
    work: Work,
    some: list[Schema],
    others: list[Schema],
    keyword: str,
    place: str,
    within: tuple[str, ...],
) -> list[Schema]:
    """Each with each; a reference that has to be merged gives way to what it refers to."""
    made: list[Schema] = []
    for one, other in product(some, others):
        for joined in _joined(work, one, other, place, within):
            if joined not in made:
                made.append(joined)
    if len(made) > MOST_ALTERNATIVES and len(some) > 1:
        work.note(keyword, place)
        return some
    if some and others and not made:
        work.never(keyword, place, "cannot be kept together with what stands beside it")
    return made


def _joined(
    work: Work, one: Schema, other: Schema, place: str, within: tuple[str, ...]
) -> Iterator[Schema]:
    if not one or not other:
        yield one or other
    elif work.depth > MOST_UNFOLDED and "$ref" in {*one, *other}:
        yield _reference_alone(work, one, other, place)
    else:
        sides = (_put_in(work, one, place, within), _put_in(work, other, place, within))
        for left, right in product(*sides):
            try:
                yield merged(left, right)
            except ContradictionError as error:
                work.never(error.keyword, place, error.why)


def _reference_alone(work: Work, one: Schema, other: Schema, place: str) -> Schema:
    """Deep down, where unfolding might never end: what stands beside it only the check knows."""
    reference, rest = (one, other) if "$ref" in one else (other, one)
    for name in [name for part in rest.get(ORIGINS, ()) for name in part] or ["$ref"]:
        work.note(name, place)
    return reference


def _put_in(work: Work, part: Schema, place: str, within: tuple[str, ...]) -> list[Schema]:
    if "$ref" not in part:
        return [part]
    reference = part["$ref"]
    if reference in within:
        raise UnusableError(f"“$ref” of {place} refers to itself with nothing between.", "$ref")
    target = work.target(reference, place)
    found = alternatives(work, target, place, (*within, reference))
    return [x for each in found for x in _put_in(work, each, place, (*within, reference))]
