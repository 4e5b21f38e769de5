"""TOML, whose comments and order stay."""

import contextlib
import re
import tomllib
from typing import Any

import tomlkit
from tomlkit.container import Container, OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, InlineTable

from lib.connect.formats.places import Item, Path, dropped, pruned
from lib.connect.formats.trouble import CannotEdit, Unreadable

_TABLES = (Container, AbstractTable, OutOfOrderTableProxy)


def read(text: str) -> dict[str, Any]:
    """The data; Unreadable where it is no TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"It is no TOML: {error}.", "Correct it there first.") from None


def put(text: str, path: Path, value: Any) -> str:
    """The text with this value there."""
    document = _parsed(text)
    *above, last = _keys(path)
    holder: Any = document
    for at, key in enumerate(above):
        if key not in holder:
            is_last = at == len(above) - 1
            holder[key] = tomlkit.table(is_super_table=is_last and isinstance(value, dict))
        holder = holder[key]
        if not isinstance(holder, _TABLES):
            raise CannotEdit()
    holder[last] = _made(value, isinstance(holder, InlineTable))
    return tomlkit.dumps(document)


def drop(text: str, path: Path) -> str:
    """The text without what stands there."""
    if (made := _without_lines(text, _keys(path))) is not None:
        return made
    document = _parsed(text)
    *above, last = _keys(path)
    holder: Any = document
    for key in above:
        holder = holder.get(key) if isinstance(holder, _TABLES) else None
    if not isinstance(holder, _TABLES) or last not in holder:
        return text
    del holder[last]
    return tomlkit.dumps(document)


def _without_lines(text: str, keys: tuple[str, ...]) -> str | None:
    """Without the lines of this table, up to a comment: whatever is below may be somebody's.

    None where the table is written in another way.
    """
    header = r"[ \t]*\.[ \t]*".join(f"[\"']?{re.escape(key)}[\"']?" for key in keys)
    lines = (
        rf"(?m)^[ \t]*\[[ \t]*{header}[ \t]*\][ \t]*\r?\n(?:[ \t]*[\w\"'-]+[ \t]*=.*(?:\r?\n|\Z))*"
    )
    made, count = re.subn(lines, "", text)
    if count != 1:
        return None
    with contextlib.suppress(Unreadable):
        if pruned(read(made), keys) == pruned(dropped(read(text), keys), keys):
            return made
    return None


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise Unreadable(f"It is no TOML: {error}.", "Correct it there first.") from None


def _keys(path: Path) -> tuple[str, ...]:
    if any(isinstance(step, Item) for step in path):
        raise CannotEdit()
    return tuple(str(step) for step in path)


def _made(value: Any, is_inline: bool) -> Any:
    if not isinstance(value, dict):
        return value
    table: Any = tomlkit.inline_table() if is_inline else tomlkit.table()
    for key, one in value.items():
        table[key] = _made(one, is_inline)
    return table
