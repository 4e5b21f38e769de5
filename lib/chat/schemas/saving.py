"""What is said of a schema that is saved: which of its keywords the engine does not hold to."""

from collections.abc import Mapping
from typing import Any

from lib.chat.schemas import formats
from lib.chat.schemas.flat import UnusableError
from lib.chat.schemas.rewriting import ImpossibleError, rewritten
from lib.chat.schemas.work import WHOLE, Loose, parts_of
from lib.core.names import shown

MOST_TOLD = 8
LONGEST_PLACE = 60
# Of texts: they say what is in them, and nobody looks.
_UNCHECKED = ("contentEncoding", "contentMediaType")


def notes(schema: Mapping[str, Any], is_built_in: bool) -> list[str]:
    """A sentence for each keyword that only the check after a reply holds to, or nobody does.

    Other engines have grammars of their own: of them nothing is known here.
    """
    said = [f"{_unknown(part)} is not checked." for part in parts_of(schema) if _unknown(part)]
    if is_built_in:
        try:
            made = rewritten(dict(schema))
            said = [*made.doubts, *map(_sentence, made.loose), *said]
        except (ImpossibleError, UnusableError) as error:
            return [str(error)]
    told = list(dict.fromkeys(said))
    more = len(told) - MOST_TOLD
    return told if more <= 0 else [*told[:MOST_TOLD], f"And {more} more."]


def unenforced(loose: tuple[Loose, ...]) -> str:
    """`minimum, uniqueItems`: in few words."""
    return ", ".join(sorted({each.keyword for each in loose}))


def _sentence(loose: Loose) -> str:
    place = shown(loose.place, LONGEST_PLACE)
    where = f" of {place}" if loose.place != WHOLE else ""
    return f"`{loose.keyword}`{where}: held by the check alone."


def _unknown(part: Mapping[str, Any]) -> str:
    name = part.get("format")
    if isinstance(name, str) and name not in formats.KNOWN:
        return f"`format` {shown(name, LONGEST_PLACE)}"
    return next((f"`{name}`" for name in _UNCHECKED if name in part), "")
