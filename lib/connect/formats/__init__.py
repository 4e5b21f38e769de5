"""Settings files as texts: one value is put in or taken out, and every other byte stays.

A place is a path of keys; an `Item` in it is the entry of a list with this value under this key.
Each format has `read`, `put` and `drop`. What an edit has made is read again and compared with what
was wanted, so that a file whose form is not understood is refused and never spoilt.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lib.connect.formats import json_text, toml_text, yaml_text
from lib.connect.formats.places import Item, Path, dropped, placed, pruned, value_at
from lib.connect.formats.trouble import CannotEdit, Unreadable

__all__ = [
    "FORMATS",
    "CannotEdit",
    "Format",
    "Item",
    "Path",
    "Unreadable",
    "drop",
    "put",
    "value_at",
]


class Format(NamedTuple):
    """How a kind of file is read and changed."""

    read: Callable[[str], Any]
    put: Callable[[str, Path, Any], str]
    drop: Callable[[str, Path], str]


FORMATS: Mapping[str, Format] = {
    "json": Format(json_text.read, json_text.put, json_text.drop),
    "toml": Format(toml_text.read, toml_text.put, toml_text.drop),
    "yaml": Format(yaml_text.read, yaml_text.put, yaml_text.drop),
}


def put(kind: str, text: str, path: Path, value: Any) -> str:
    """The text with this value at this place; CannotEdit where that would change anything else."""
    form = FORMATS[kind]
    wanted = placed(form.read(text), path, value)
    return _checked(form, path, wanted, lambda: form.put(text, path, value))


def drop(kind: str, text: str, path: Path) -> str:
    """The text without what stands at this place, if anything does."""
    form = FORMATS[kind]
    return _checked(form, path, dropped(form.read(text), path), lambda: form.drop(text, path))


def _checked(form: Format, path: Path, wanted: Any, edit: Callable[[], str]) -> str:
    try:
        made = edit()
        is_right = pruned(form.read(made), path) == pruned(wanted, path)
    except (Unreadable, ValueError, TypeError, LookupError, AttributeError) as error:
        raise CannotEdit() from error
    if not is_right:
        raise CannotEdit()
    return made
