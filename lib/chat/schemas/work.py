"""What one rewriting of a schema shares: its references, its names, and what it has found."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from lib.chat.schemas import flat
from lib.chat.schemas.flat import Schema, UnusableError
from lib.core.names import shown

MOST_VISITS = 20_000  # of parts, each as often as it is used
MOST_ALTERNATIVES = 64  # of one part; unions of unions multiply
DEEPEST = 64
NEVER: Schema = {"not": {}}  # nothing is like this
WHOLE = "the reply"

_ODD = re.compile(r"[^A-Za-z0-9]")
_HOLDS_MANY = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_HOLDS_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_HOLDS_ONE = ("items", "additionalProperties", "contains", "not", "if", "then", "else")


class Loose(NamedTuple):
    """A keyword that the engine is not held to, and where it stands."""

    keyword: str
    place: str


class Work:
    """The schema that is rewritten, and what was noted of it."""

    def __init__(self, whole: Schema) -> None:
        self.whole = whole
        self.loose: dict[Loose, None] = {}
        self.why = ""  # the first thing that nothing can be like
        self.doubts: dict[str, None] = {}
        self.names: dict[str, str] = {}  # of references, by what they refer to
        self.depth = 0  # of the part that is rewritten now
        self._visits = 0
        self._anchors: dict[str, Any] | None = None

    def visit(self, place: str, depth: int = 0) -> None:
        """UnusableError where it is too much."""
        self._visits += 1
        if self._visits > MOST_VISITS:
            raise UnusableError("The schema unfolds to too many parts.", "$ref")
        if depth > DEEPEST:
            raise UnusableError(f"The schema is nested too deeply at {shown(place)}.", "$ref")

    def note(self, keyword: str, place: str) -> None:
        """Only the check after the reply holds to this."""
        self.loose[Loose(keyword, place)] = None

    def never(self, keyword: str, place: str, why: str) -> Schema:
        """Nothing can be like this part; the first reason is told."""
        self.why = self.why or f"“{keyword}” of {shown(place)} {why}."
        return NEVER

    def doubt(self, place: str, fits_otherwise: bool) -> None:
        """What its keywords speak of cannot be, but as no type is named, something else can."""
        if fits_otherwise:
            where = shown(place)
            self.doubts[f"{self.why} Only as {where} names no “type” can it be something else."] = (
                None
            )
            self.why = ""

    def name_of(self, reference: str) -> str:
        """Under which a part is defined: the engine mixes up `a-b` and `a_b`."""
        if reference not in self.names:
            plain = _ODD.sub("", reference.split("/")[-1]) or "whole"
            taken = set(self.names.values())
            free = (f"{plain}{number or ''}" for number in count())
            self.names[reference] = next(name for name in free if name not in taken)
        return self.names[reference]

    def target(self, reference: str, place: str) -> Any:
        """The part that is referred to; UnusableError where there is none."""
        found = self._found(reference)
        if not isinstance(found, dict | bool):
            raise UnusableError(
                f"“$ref” of {shown(place)} is “{shown(reference)}”: this schema has no such part.",
                "$ref",
            )
        return found

    def _found(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return None
        if reference[1:2] not in ("", "/"):
            return self._anchored(reference[1:])
        found: Any = self.whole
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                found = found.get(name) if isinstance(found, dict) else None
        return found

    def _anchored(self, name: str) -> Any:
        if self._anchors is None:
            parts = list(parts_of(self.whole))
            self._anchors = {part["$anchor"]: part for part in parts if _is_named(part)}
        return self._anchors.get(name)


def _is_named(part: Schema) -> bool:
    return isinstance(part.get("$anchor"), str)


def parts_of(schema: Any) -> Iterator[Schema]:
    """Every schema in it that is an object."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for name in _HOLDS_MANY:
            if isinstance(part.get(name), dict):
                waiting += part[name].values()
        for name in _HOLDS_LISTS:
            if isinstance(part.get(name), list):
                waiting += part[name]
        waiting += [part[name] for name in _HOLDS_ONE if name in part]


def described(part: Schema) -> Schema:
    """What it says about itself to whoever reads it."""
    return {name: part[name] for name in flat.ANNOTATIONS if name in part}


def inside(place: str, step: str) -> str:
    """`address.street`, `tags[]`."""
    if place == WHOLE:
        return step.removeprefix(".") or WHOLE
    return place + step
