"""The answers of a batch, appended line by line to two files that are on the disk at once.

Whoever goes on with a batch reads them first: what stands there is never asked again. A last line
that was cut, by a full disk or a power cut, is taken away and asked again.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lib.batches import places
from lib.batches.record import Asked, Tokens
from lib.core.errors import NoSpace

CONTENT = "content"
_NAMES = {  # what the routes call the same numbers
    "input": ("prompt_tokens", "input_tokens"),
    "output": ("completion_tokens", "output_tokens"),
}
_DETAILS = {
    "cached": (("prompt_tokens_details", "input_tokens_details"), "cached_tokens"),
    "reasoning": (("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"),
}


class Result(NamedTuple):
    """How one request ended: by an answer of any status, or without one."""

    custom_id: str
    status: int = 0  # 0: there was no answer
    body: Any = None
    request_id: str = ""
    told: Mapping[str, str] = MappingProxyType({})  # what the gateway's headers said of the request
    code: str = ""  # why there is none
    message: str = ""

    @property
    def is_answered(self) -> bool:
        """Is it what was asked for?"""
        return 200 <= self.status < 300

    def described(self) -> dict[str, Any]:
        """As the dialect has it in its files."""
        answer: dict[str, Any] = {
            "status_code": self.status,
            "request_id": self.request_id,
            "body": self.body,
        }
        answer |= {"headers": dict(self.told)} if self.told else {}
        return {
            "id": f"batch_req_{secrets.token_hex(12)}",
            "custom_id": self.custom_id,
            "response": answer if self.status else None,
            "error": None if self.status else {"code": self.code, "message": self.message},
        }


class Results:
    """Both files, open for more; to be used by one process at a time."""

    def __init__(self, asked: Asked) -> None:
        self.answered: set[str] = set()  # custom ids, also of those that failed
        self.completed = self.failed = 0
        self.tokens = Tokens()
        output, errors = (name(asked.id) for name in (places.output_id, places.errors_id))
        self._output = _Appended(_content(output), partial(self._count, is_answer=True))
        self._errors = _Appended(_content(errors), partial(self._count, is_answer=False))

    def add(self, results: Iterable[Result]) -> None:
        """Write them; they count when this returns. NoSpace where the disk is full."""
        told = [(one.described(), one.is_answered) for one in results]
        try:
            self._output.write([one for one, is_answer in told if is_answer])
            self._errors.write([one for one, is_answer in told if not is_answer])
        except OSError as error:
            raise NoSpace(
                f"No answer can be written: {error.strerror}.",
                "Free some space. The batch goes on by itself from what was written.",
            ) from error
        for one, is_answer in told:
            self._count(one, is_answer=is_answer)

    def close(self) -> None:
        """No more is written."""
        self._output.close()
        self._errors.close()

    def _count(self, told: dict[str, Any], *, is_answer: bool) -> None:
        self.answered.add(told["custom_id"])
        if is_answer:
            self.completed += 1
            self.tokens += used(told["response"]["body"])
        else:
            self.failed += 1


class _Appended:
    """A file of JSON lines that only grows."""

    def __init__(self, path: Path, seen: Callable[[dict[str, Any]], None]) -> None:
        """`seen` is told every line that is there already."""
        places.make(path.parent)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        places.sync(path.parent)
        self._size = _read(path, seen)
        os.ftruncate(self._handle, self._size)

    def write(self, lines: list[dict[str, Any]]) -> None:
        """All of them, or none where that fails."""
        if not lines:
            return
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        os.close(self._handle)


def _read(path: Path, seen: Callable[[dict[str, Any]], None]) -> int:
    """How many bytes of the file are whole lines."""
    size = 0
    with path.open("rb") as file:
        for raw in file:
            told = _parsed(raw)
            if told is None:
                break
            seen(told)
            size += len(raw)
    return size


def used(body: Any) -> Tokens:
    """What an answer says that it took."""
    told = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return Tokens()
    counts = {name: _count_in(told, names) for name, names in _NAMES.items()}
    for name, (places_of, what) in _DETAILS.items():
        inner: dict[str, Any] = next(
            (told[one] for one in places_of if isinstance(told.get(one), dict)), {}
        )
        counts[name] = _count_in(inner, (what,))
    return Tokens(**counts)


def _count_in(told: dict[str, Any], names: tuple[str, ...]) -> int:
    found = next((told[name] for name in names if type(told.get(name)) is int), 0)
    return max(0, int(found))


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """A whole line as this file wrote it; None for anything else."""
    if not raw.endswith(b"\n"):
        return None
    try:
        told = json.loads(raw)
    except ValueError:
        return None
    is_ours = isinstance(told, dict) and isinstance(told.get("custom_id"), str)
    return told if is_ours else None


def _content(file_id: str) -> Path:
    return places.files() / file_id / CONTENT
