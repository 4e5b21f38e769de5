"""Objects and lists, as the built-in engine is held to them."""

from collections.abc import Callable
from typing import Any

from lib.chat.schemas.flat import ORIGINS, ContradictionError, Schema, of_name, of_place
from lib.chat.schemas.texts import bounded, lengths
from lib.chat.schemas.validator import validator
from lib.chat.schemas.work import NEVER, Work, inside
from lib.core.names import shown

MOST_TUPLES = 8  # lists of so many lengths are written out
MOST_LISTED = 64  # items that are written out one by one
Made = Callable[[Any, str], Schema]  # a part of the schema, rewritten


def thing(work: Work, flat: Schema, place: str, made: Made) -> Schema:
    """An object: every required name is listed, and where names are free it says so."""
    required, names = flat.get("required", []), _names(flat)
    least, most = _counts(flat, required)
    if most == 0:
        return {"const": {}}
    parts = {name: made(_of_name(work, flat, name), inside(place, f".{name}")) for name in names}
    for name in required:
        if parts[name] is NEVER:
            return work.never("required", place, f"has “{shown(name)}”, which nothing can be like")
    listed = {name: part for name, part in parts.items() if part is not NEVER}
    others = _others(work, flat, place, made, len(listed), least)
    is_closed = others is False or (others is None and bool(listed))
    if is_closed and least > len(listed):
        return work.never("minProperties", place, "is more than the names that there may be")
    _note_counts(work, flat, place, is_closed, len(listed), len(required))
    if not is_closed and (len(listed) < len(parts) or "propertyNames" in flat):
        work.note(_forbidding(flat), place)
    return _object(listed, required, others)


def _forbidding(flat: Schema) -> str:
    """The keyword that forbids a name where the others are free."""
    given = {name for part in flat.get(ORIGINS, ()) for name in part}
    usual = ("propertyNames", "dependentSchemas", "dependentRequired")
    return next((name for name in usual if name in given), "properties")


def _names(flat: Schema) -> list[str]:
    return [*dict.fromkeys([*flat.get("properties", {}), *flat.get("required", [])])]


def _of_name(work: Work, flat: Schema, name: str) -> Any:
    """A name that `propertyNames` forbids has no value."""
    rule = flat.get("propertyNames", True)
    is_free = validator(work.whole).evolve(schema=rule).is_valid(name)
    return of_name(flat, name) if is_free else False


def _counts(flat: Schema, required: list[str]) -> tuple[int, int | None]:
    least, most = lengths(flat, "Properties")
    if most is not None and most < len(required):
        raise ContradictionError("maxProperties", "is less than the names that are required")
    return least, most


def _others(
    work: Work, flat: Schema, place: str, made: Made, listed: int, least: int
) -> Schema | bool | None:
    """What names that are not listed may have: False: there are none; None: nothing is said.

    The engine takes an object that lists some for one that has no others; where it has to have
    more, that is said.
    """
    others = flat.get("additionalProperties")
    patterns = flat.get("patternProperties")
    if flat.get("propertyNames") is False:
        return False
    if patterns:
        work.note("patternProperties", place)
        values = [*patterns.values(), *([] if others is False else [others or {}])]
        others = {"anyOf": values} if others is not None else {"anyOf": values[:-1]}
    if others is None:
        return True if least > listed > 0 else None
    if others is True or others == {}:
        return True
    part = made(others, inside(place, ".*"))
    return False if part is NEVER else part


def _note_counts(
    work: Work, flat: Schema, place: str, is_closed: bool, listed: int, required: int
) -> None:
    if flat.get("minProperties", 0) > required:
        work.note("minProperties", place)
    if "maxProperties" in flat and not (is_closed and flat["maxProperties"] >= listed):
        work.note("maxProperties", place)


def _object(listed: dict[str, Schema], required: list[str], others: Schema | bool | None) -> Schema:
    if others is False and not listed:
        return {"const": {}}
    made: Schema = {"type": "object"}
    if listed:
        made["properties"] = listed
    if required:
        made["required"] = required
    if others is not None:
        made["additionalProperties"] = others
    return made


def row(work: Work, flat: Schema, place: str, made: Made) -> Schema:
    """A list: of one kind of item, or of exactly these."""
    least, most = lengths(flat, "Items")
    first = len(flat.get("prefixItems", ()))
    if flat.get("items") is False:
        most = first if most is None else min(most, first)
    if most is not None and least > most:
        raise ContradictionError("minItems", "is more than the items that there can be")
    if most == 0:
        return _none(least)
    if "prefixItems" in flat:
        return _tuples(work, flat, place, made, least, most)
    if "items" not in flat:
        return {"type": "array", **bounded(work, flat, "Items", place)}
    item = made(flat["items"], inside(place, "[]"))
    if item is NEVER:
        return _none(least)
    return {"type": "array", "items": item, **bounded(work, flat, "Items", place)}


def _none(least: int) -> Schema:
    if least > 0:
        raise ContradictionError("minItems", "is more than the items that there can be")
    return {"const": []}


def _tuples(
    work: Work, flat: Schema, place: str, made: Made, least: int, most: int | None
) -> Schema:
    """The engine knows a list of exactly these items; others are lists of any of them."""
    first = len(flat["prefixItems"])
    sizes = [max(first, least)]
    if least > MOST_LISTED:
        return _mixed(work, flat, place, made)
    if most is not None and most - least < MOST_TUPLES:
        sizes = list(range(least, most + 1))
    elif "items" in flat:
        return _mixed(work, flat, place, made)
    if most is not None and sizes[0] > most:
        sizes = [most]
    parts = [made(of_place(flat, each), inside(place, f"[{each}]")) for each in range(max(sizes))]
    longest = next((n for n, part in enumerate(parts) if part is NEVER), len(parts))
    if longest < least:
        raise ContradictionError("prefixItems", "has an item that nothing can be like")
    fitting = [size for size in sizes if size <= longest] or [longest]
    lists: list[Schema] = [
        {"type": "array", "prefixItems": parts[:n]} if n else {"const": []} for n in fitting
    ]
    return lists[0] if len(lists) == 1 else {"anyOf": lists}


def _mixed(work: Work, flat: Schema, place: str, made: Made) -> Schema:
    work.note("prefixItems", place)
    parts = [*flat["prefixItems"], flat.get("items", {})]
    item = made({"anyOf": parts}, inside(place, "[]"))
    if item is NEVER:
        return _none(flat.get("minItems", 0))
    return {"type": "array", "items": item, **bounded(work, flat, "Items", place)}
