"""Texts and numbers, as the built-in engine is held to them."""

import math
from typing import Any

from lib.chat.schemas import formats
from lib.chat.schemas.flat import FORMATS, PATTERNS, ContradictionError, Schema, UnusableError
from lib.chat.schemas.raw_text import MOST_TIMES, written
from lib.chat.schemas.work import Work

MOST_VALUES = 200  # that a multiple is written out for
_DIGITS = 15  # the engine writes whole numbers of up to 16
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def text(work: Work, flat: Schema, place: str) -> Schema:
    """One pattern, or lengths alone: where there is a pattern the engine overlooks them."""
    least, most = lengths(flat, "Length")
    wanted = _wanted(work, flat, place)
    for number, (_, pattern) in enumerate(wanted):
        fitting = written(pattern, least, most)
        made = fitting or written(pattern)
        if made is not None:
            _note_all(work, [*wanted[:number], *wanted[number + 1 :]], place)
            if fitting is None:
                _note_lengths(work, flat, place)
            return {"type": "string", "pattern": made}
    _note_all(work, wanted, place)
    unknown = [name for name in flat.get(FORMATS, ()) if name not in formats.PATTERNS]
    told = {"format": unknown[0]} if unknown else {}
    return {"type": "string", **told, **bounded(work, flat, "Length", place)}


def _wanted(work: Work, flat: Schema, place: str) -> list[tuple[str, str]]:
    """Patterns that it has to match, with the keyword that asks for each."""
    wanted = [("pattern", each) for each in flat.get(PATTERNS, ())]
    for name in flat.get(FORMATS, ()):
        if name in formats.PATTERNS:
            wanted.append(("format", formats.PATTERNS[name]))
        elif name in formats.KNOWN:
            work.note("format", place)
    return wanted


def _note_all(work: Work, wanted: list[tuple[str, str]], place: str) -> None:
    for keyword, _ in wanted:
        work.note(keyword, place)


def _note_lengths(work: Work, flat: Schema, place: str) -> None:
    for name in ("minLength", "maxLength"):
        if name in flat:
            work.note(name, place)


def lengths(flat: Schema, what: str) -> tuple[int, int | None]:
    """`minLength` and `maxLength`, or those of Items; ContradictionError where none is between."""
    least, most = _count(flat.get(f"min{what}", 0)), flat.get(f"max{what}")
    if most is not None and least > most:
        raise ContradictionError(f"min{what}", f"is more than “max{what}”")
    if most is not None and most < 0:
        raise ContradictionError(f"max{what}", "is less than none")
    return least, None if most is None else math.floor(most)


def _count(number: float) -> int:
    return max(0, math.ceil(number))


def bounded(work: Work, flat: Schema, what: str, place: str) -> Schema:
    """The bounds that the engine knows: a larger one is refused or overlooked."""
    least, most = lengths(flat, what)
    made: Schema = {}
    if least:
        made[f"min{what}"] = min(least, MOST_TIMES)
    if most is not None and most <= MOST_TIMES:
        made[f"max{what}"] = most
    elif most is not None:
        work.note(f"max{what}", place)
    if least > MOST_TIMES:
        work.note(f"min{what}", place)
    return made


def number(work: Work, flat: Schema, place: str) -> Schema:
    """Any number; only whole ones have bounds that the engine is held to."""
    low, high = _ends(flat)
    step = flat.get("multipleOf")
    if step is not None and step == int(step) and step > 0:
        return whole(work, flat, place)
    if low == high and low is not None and math.isfinite(low):
        return {"const": low}
    told = {name: flat[name] for name in (*_BOUNDS, "multipleOf") if name in flat}
    for name in told:
        work.note(name, place)
    return {"type": "number", **told}


def whole(work: Work, flat: Schema, place: str) -> Schema:
    """A whole number; a few multiples are written out."""
    low, high = _ends(flat)
    first = None if low is None else math.ceil(low)
    last = None if high is None else math.floor(high)
    if first is not None and flat.get("exclusiveMinimum") == first:
        first += 1
    if last is not None and flat.get("exclusiveMaximum") == last:
        last -= 1
    if first is not None and last is not None and first > last:
        raise ContradictionError("minimum", "and “maximum” leave no whole number between them")
    step = flat.get("multipleOf")
    if step in (None, 1):
        return {"type": "integer", **_written_bounds(first, last)}
    if values := _multiples(first, last, step):
        return {"enum": values}
    work.note("multipleOf", place)
    return {"type": "integer", **_written_bounds(first, last)}


def _multiples(first: int | None, last: int | None, step: Any) -> list[int] | None:
    """Written out, where they are few; ContradictionError where there is none."""
    if first is None or last is None or not isinstance(step, int) or step <= 0:
        return None
    lowest = -(-first // step)
    many = last // step - lowest + 1
    if many < 1:
        raise ContradictionError("multipleOf", "has no multiple between its bounds")
    return [(lowest + each) * step for each in range(many)] if many <= MOST_VALUES else None


def _written_bounds(first: int | None, last: int | None) -> Schema:
    """As the engine can count them; it writes no number that is larger anyway."""
    most = 10**_DIGITS
    if (first is not None and first > most) or (last is not None and last < -most):
        raise UnusableError("The engine writes whole numbers of at most 16 digits.", "minimum")
    made: Schema = {}
    if first is not None and first >= -most:
        made["minimum"] = first
    if last is not None and last <= most:
        made["maximum"] = last
    return made


def _ends(flat: Schema) -> tuple[float | None, float | None]:
    """The lowest and the highest; ContradictionError where nothing is between."""
    lows = [flat[name] for name in ("minimum", "exclusiveMinimum") if name in flat]
    highs = [flat[name] for name in ("maximum", "exclusiveMaximum") if name in flat]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is None or high is None:
        return low, high
    is_open = low == flat.get("exclusiveMinimum") or high == flat.get("exclusiveMaximum")
    if low > high or (low == high and is_open):
        names = ("minimum", "exclusiveMinimum") if "minimum" in flat else ("exclusiveMinimum",)
        upper = "maximum" if "maximum" in flat else "exclusiveMaximum"
        raise ContradictionError(names[0], f"leaves nothing below “{upper}”")
    return low, high
