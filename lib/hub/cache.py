"""The Hub's answers on disk, so that it is asked rarely and missed little.

A file is one answer as it came, and its modification time is when that was. What one token may see
another may not, so the token is part of what a file's name is the hash of.
"""

import contextlib
import hashlib
import time
from pathlib import Path
from typing import NamedTuple

from lib.core.files import write_text
from lib.core.settings import settings

LARGEST_BYTES = 64 * 2**20
LOOK_SHARE = 64  # a part of that is written until the folder is looked through again

_unlooked: dict[Path, int] = {}  # bytes, by folder


class Kept(NamedTuple):
    """An answer and when it came (epoch seconds)."""

    text: str
    at: float


def read(question: str, limit_seconds: float | None = None) -> Kept | None:
    """What the Hub last answered, if that is not older than the limit."""
    path = _path(question)
    try:
        kept = Kept(path.read_text(encoding="utf-8"), path.stat().st_mtime)
    except (OSError, ValueError):
        return None
    age = time.time() - kept.at
    return kept if limit_seconds is None or -1 <= age < limit_seconds else None


def write(question: str, text: str) -> None:
    """Keep an answer; nothing happens where the disk does not let us."""
    path = _path(question)
    with contextlib.suppress(OSError):
        write_text(path, text)
        limit = LARGEST_BYTES // LOOK_SHARE
        written = _unlooked.get(path.parent, limit) + len(text)
        _unlooked[path.parent] = written if written < limit else 0
        if written >= limit:
            _shrink(path.parent)


def _path(question: str) -> Path:
    here = settings()
    token = here.hf_token.get_secret_value() if here.hf_token else ""
    secret = "\n".join((here.hf_endpoint, token, question))
    return here.hub_cache / f"{hashlib.sha256(secret.encode()).hexdigest()[:40]}.json"


def _shrink(folder: Path) -> None:
    """Remove the oldest files until the rest is small enough."""
    stats = sorted(((path.stat(), path) for path in folder.iterdir()), key=lambda s: s[0].st_mtime)
    total = sum(stat.st_size for stat, _ in stats)
    for stat, path in stats:
        if total <= LARGEST_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= stat.st_size
