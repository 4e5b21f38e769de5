"""Where files and batches lie, below `batches/` in BERTH_HOME, and how their names are made.

    files/file-…/meta.json      what is known of a file; it does not exist before this does
    files/file-…/content        the file itself
    runs/batch_…/batch.json     what was asked for; never changed
    runs/batch_…/state.json     how it stands, written by whoever holds the lock
    runs/batch_…/alone          the lock of the one process that works on it
    runs/batch_…/cancel         appears when somebody cancels it

An id begins with the time, so that names in order are in the order of their making. The files of a
batch's answers are named after it, so that a process that goes on with it finds them.
"""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Any

from lib.core.files import make_private, write_json
from lib.core.settings import settings

FILE_ID = re.compile(r"file-[0-9a-f]{24}(-output|-errors)?")
BATCH_ID = re.compile(r"batch_[0-9a-f]{24}")


def files() -> Path:
    """One folder per file."""
    return settings().home / "batches" / "files"


def runs() -> Path:
    """One folder per batch."""
    return settings().home / "batches" / "runs"


def new_id(prefix: str) -> str:
    """`file-` or `batch_`, and what nothing else is called."""
    return f"{prefix}{time.time_ns():016x}{secrets.token_hex(4)}"


def output_id(batch_id: str) -> str:
    """The file of what was answered."""
    return f"file-{batch_id.removeprefix('batch_')}-output"


def errors_id(batch_id: str) -> str:
    """The file of what could not be answered."""
    return f"file-{batch_id.removeprefix('batch_')}-errors"


def make(folder: Path) -> Path:
    """The folder, one level below `files` or `runs`, made if needed; all of them private."""
    for one in (folder.parent.parent, folder.parent, folder):
        make_private(one)
    return folder


def newest(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """The folders of this kind in it, newest first; none where it does not exist."""
    try:
        found = [entry.name for entry in os.scandir(folder) if names.fullmatch(entry.name)]
    except OSError:
        return []
    return [folder / name for name in sorted(found, key=_moment, reverse=True)]


def _moment(name: str) -> str:
    return name[len("file-") :] if name.startswith("file-") else name


def write_durably(path: Path, value: Any) -> None:
    """`value` as JSON, in one step, on the disk when this returns."""
    write_json(path, value)
    for made in (path, path.parent):
        sync(made)


def sync(path: Path) -> None:
    """A file, or a folder's list of names, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
