"""TOML files that Berth and the user both write: a broken one is told of and kept, never fatal."""

import contextlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.core.errors import Conflict
from lib.core.files import make_private, write_text
from lib.core.locks import locked


def read(path: Path) -> tuple[dict[str, Any], str]:
    """What the file says, and what is wrong with it in a sentence; nothing where it is absent."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"{path} cannot be read: {error.strerror}."
    except (ValueError, RecursionError) as error:
        return {}, f"{path} is no TOML file: {error}."


def replace(path: Path, text: str, *, is_broken: bool) -> None:
    """Write it anew, to be called while `writing`; a broken one is kept beside it."""
    new = path.with_suffix(f".new{path.suffix}")
    write_text(new, text)  # or the disk refuses, and nothing has changed
    if is_broken:
        path.replace(path.with_suffix(f".broken{path.suffix}"))
    new.replace(path)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the file's lock; Conflict where the disk refuses."""
    try:
        make_private(path.parent)
        with locked(path.with_suffix(".lock")):
            yield
    except OSError as error:
        raise Conflict(
            f"{path} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error
