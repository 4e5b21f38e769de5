"""Regular expressions of strangers, matched in a time that grows with the text and no faster.

Python's own engine tries every way to match, which `(a+)+$` makes endless. The one that pydantic
brings along does not; it knows no look-around and no back references, so neither do we.
"""

import re
from functools import lru_cache
from math import prod
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from lib.core.errors import BadInput
from lib.core.names import shown

LONGEST_PATTERN = 300
MOST_REPEATS = 1_000  # a repeated repetition counts as their product
MOST_WORK = 20_000_000  # characters of the text times the pattern's weight: about half a second

_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# As JSON schemas mean them; the engine's own cover all of Unicode and are a hundred times larger.
_CLASSES = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]"}


def check(pattern: str) -> None:
    """BadInput where the pattern cannot be used, or would take too much."""
    fix = "Leave it out, or write a simpler one."
    if len(pattern) > LONGEST_PATTERN or _repeats(pattern) > MOST_REPEATS:
        raise BadInput(f"The pattern “{shown(pattern)}” is too large to be checked.", fix)
    if "(?i" in pattern or "\\p" in pattern.lower():
        raise BadInput(f"The pattern “{shown(pattern)}” is not one for a JSON schema.", fix)
    try:
        _matcher(pattern)
    except SchemaError:
        raise BadInput(
            f"The pattern “{shown(pattern)}” has a mistake, or uses look-around or back "
            "references, which are not supported.",
            fix,
        ) from None


def is_too_long(pattern: str, text: str) -> bool:
    """Would it take longer than anybody waits?"""
    return len(text) * len(pattern) * _repeats(pattern) > MOST_WORK


def is_in(pattern: str, text: str) -> bool:
    """Does the pattern match somewhere in the text?"""
    try:
        _matcher(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> TypeAdapter[str]:
    ours = _ESCAPED.sub(lambda found: _CLASSES.get(found[1], found[0]), pattern)
    return TypeAdapter(Annotated[str, Field(pattern=ours)])


def _repeats(pattern: str) -> int:
    found = _REPEAT.findall(pattern)
    return prod(max(1, int(least or 0), int(most or 0)) for least, most in found)
