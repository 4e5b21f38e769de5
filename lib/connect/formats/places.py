"""Places in data, and data with something else there. Pure."""

import copy
from typing import Any, NamedTuple

from lib.connect.formats.trouble import CannotEdit


class Item(NamedTuple):
    """The entry of a list that has this value under this key."""

    key: str
    value: str


Path = tuple[str | Item, ...]
_NOTHING = object()


def value_at(data: Any, path: Path, otherwise: Any = None) -> Any:
    """What stands there."""
    for step in path:
        data = _inside(data, step)
        if data is _NOTHING:
            return otherwise
    return data


def placed(data: Any, path: Path, value: Any) -> Any:
    """The data with this value there, and with what has to stand around it."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, Item):
        made = _list(data)
        at = _index(made, step)
        if at is None:
            return [*made, placed(None, rest, value)]
        return [*made[:at], placed(made[at], rest, value), *made[at + 1 :]]
    if data is not None and not isinstance(data, dict):
        raise CannotEdit()
    inner = (data or {}).get(step)
    return {**(data or {}), step: placed(inner, rest, value)}


def dropped(data: Any, path: Path) -> Any:
    """The data without what stands there."""
    made = copy.deepcopy(data)
    *above, last = path
    holder = value_at(made, tuple(above), _NOTHING)
    if isinstance(last, Item):
        at = _index(holder, last) if isinstance(holder, list) else None
        if at is not None:
            del holder[at]
    elif isinstance(holder, dict):
        holder.pop(last, None)
    return made


def pruned(data: Any, path: Path) -> Any:
    """The same without what holds nothing on the way there: some formats cannot write that."""
    if not path:
        return None if data in ({}, [], None) else data
    if isinstance(data, dict) and path[0] in data:
        inner = pruned(data[path[0]], path[1:])
        rest = {key: value for key, value in data.items() if key != path[0]}
        data = rest if inner is None else {**rest, path[0]: inner}
    return None if data in ({}, [], None) else data


def _inside(data: Any, step: str | Item) -> Any:
    if isinstance(step, Item):
        at = _index(data, step) if isinstance(data, list) else None
        return _NOTHING if at is None else data[at]
    return data.get(step, _NOTHING) if isinstance(data, dict) else _NOTHING


def _list(data: Any) -> list[Any]:
    if data is not None and not isinstance(data, list):
        raise CannotEdit()
    return data or []


def _index(found: list[Any], step: Item) -> int | None:
    for at, one in enumerate(found):
        if isinstance(one, dict) and one.get(step.key) == step.value:
            return at
    return None
