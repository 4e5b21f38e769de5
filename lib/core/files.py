"""Files that are whole or absent: written under a temporary name, then renamed."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lib.core import model_place
from lib.core.settings import settings

PRIVATE = 0o700


def make_private(folder: Path) -> Path:
    """The folder, made if needed, readable by its owner alone; so is the home it is made in.

    OSError below a folder of models whose disk is not connected.
    """
    home = settings().home
    model_place.require_written(folder, home)
    if not home.exists() and folder.is_relative_to(home):
        home.mkdir(parents=True, exist_ok=True, mode=PRIVATE)  # the system's own for parents is 755
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    return folder


def write_text(path: Path, text: str) -> None:
    """Replace the file in one step; the new one is 0600 and a reader never sees half of it."""
    make_private(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """`value` as JSON, by `write_text`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """The file's JSON, or None where it is absent or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def tail(path: Path, limit_bytes: int = 16_384) -> str:
    """The end of a text file, decoded leniently, from the first whole line; empty where absent."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - limit_bytes))
        data = file.read(limit_bytes)
        if size > limit_bytes:
            data = data.partition(b"\n")[2]
        return data.decode("utf-8", "replace")
    return ""


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk that holds, or will hold, this folder."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
