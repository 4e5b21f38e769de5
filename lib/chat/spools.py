"""The files in which replies are kept while they are written: one JSON array a line.

The first line says whose reply it is, the second what it answers, and then comes every piece. The
first is short, so that a conversation's newest reply is found without reading what was asked.
"""

import contextlib
import itertools
import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lib.core.errors import NoSpace
from lib.core.files import make_private
from lib.core.settings import settings

Kept = TypeVar("Kept")


class Header(NamedTuple):
    """Whose reply a file holds; `created` in epoch seconds."""

    created: float
    conversation: str
    owner: str


class Spool:
    """One reply's file, while it is written; a disk that refuses ends it, and nothing else."""

    def __init__(self, reply_id: str, header: Header, request: Any) -> None:
        path = _path(reply_id)
        self.problem: NoSpace | None = None  # why no more is kept
        try:
            make_private(path.parent)
            self._file = path.open("wb", buffering=0)
            path.chmod(0o600)
        except OSError as error:
            raise _refused(path, error) from error
        self.keep(list(header))
        self.keep(request)
        if self.problem:
            path.unlink(missing_ok=True)
            raise self.problem

    def keep(self, entry: Any) -> None:
        """Write one line, at once; nothing once closed or refused."""
        if self._file.closed:
            return
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            self.problem = _refused(Path(self._file.name), error)
            self.close()

    def close(self) -> None:
        """Harmless when already closed."""
        with contextlib.suppress(OSError):
            self._file.close()


def _refused(path: Path, error: OSError) -> NoSpace:
    return NoSpace(
        f"Replies cannot be kept in {path.parent}: {error.strerror}.",
        "Free some space, then ask again.",
    )


def read(reply_id: str) -> tuple[Header, Any, Iterator[Any]] | None:
    """Header, request and pieces of a reply; None where there is no such file."""
    if len(reply_id) != 32 or not reply_id.isalnum():
        return None
    path = _path(reply_id)
    header = _header(path)
    if header is None:
        return None
    lines = itertools.islice(_entries(path), 1, None)
    return header, next(lines, None), lines


def is_kept(reply_id: str) -> bool:
    """Is there a file of this reply?"""
    return _path(reply_id).exists()


def newest(conversation: str, owner: str) -> list[str]:
    """The ids of a conversation's replies, the newest first."""
    return [reply_id for talk, reply_id in _of(owner) if talk == conversation]


def newest_of(owner: str) -> list[str]:
    """The ids of all replies of an owner, the newest first."""
    return [reply_id for _, reply_id in _of(owner)]


def _of(owner: str) -> list[tuple[str, str]]:
    """Conversation and id of each, the newest first."""
    mine: list[tuple[float, str, str]] = []
    for path in settings().replies.glob("*.jsonl"):
        header = _header(path)
        if header and header.owner == owner:
            mine.append((header.created, header.conversation, path.stem))
    return [(talk, reply_id) for _, talk, reply_id in sorted(mine, reverse=True)]


def prune(kept: int, but: Collection[str]) -> None:
    """Delete what is too much for `kept` files, and none of those that are being written."""
    files = sorted(settings().replies.glob("*.jsonl"), key=_modified)
    if len(files) <= kept:
        return
    owned = [(header.owner if (header := _header(path)) else "", path) for path in files]
    for path in surplus(owned, kept):
        if path.stem not in but:
            path.unlink(missing_ok=True)


def forget(reply_id: str) -> None:
    """Delete a reply's file."""
    _path(reply_id).unlink(missing_ok=True)


def surplus(owned: Iterable[tuple[str, Kept]], kept: int) -> list[Kept]:
    """What has to go so that `kept` stay, of things with their owners, the oldest first.

    Whoever has most loses the oldest: nobody's many push out what others have.
    """
    by_owner: dict[str, deque[Kept]] = {}
    for owner, one in owned:
        by_owner.setdefault(owner, deque()).append(one)
    too_many = sum(map(len, by_owner.values())) - kept
    return [max(by_owner.values(), key=len).popleft() for _ in range(too_many)]


def _modified(path: Path) -> float:
    """Epoch seconds; 0 where it has gone meanwhile."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _path(reply_id: str) -> Path:
    return settings().replies / f"{reply_id}.jsonl"


def _header(path: Path) -> Header | None:
    """None where the file is no spool."""
    try:
        created, conversation, owner = next(_entries(path))
        return Header(float(created), str(conversation), str(owner))
    except (OSError, StopIteration, ValueError, TypeError):
        return None


def _entries(path: Path) -> Iterator[Any]:
    """The file's whole lines; the last one may be cut."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                yield json.loads(line)
