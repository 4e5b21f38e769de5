"""A job's log: written clean of secrets and bounded in size, read from its end or from an offset.

Standard library only: the job runner writes it.
"""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from lib.core.redact import Redactor

LIMIT_BYTES = 20_000_000
PIECE_BYTES = 65_536
LONGEST_TAIL_BYTES = 4_194_304


class Log:
    """What a job prints. When it grows too long, its middle is left out."""

    def __init__(self, path: Path, redactor: Redactor, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path, self._redactor = path, redactor
        self._limit = self._shorten_at = limit_bytes
        self._head_bytes = limit_bytes // 4
        self._marker_bytes = self._left_out_bytes = 0
        self._file = _opened(path)

    def write(self, data: bytes) -> None:
        """Add output; what belongs to a line that has not ended yet waits."""
        self._append(self._redactor.feed(data))

    def flush(self) -> None:
        """Add what still waits."""
        self._append(self._redactor.flush())

    def close(self) -> None:
        """Complete the file."""
        self.flush()
        self._file.close()

    def _append(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk costs lines of the log, not the job
            self._file.write(data)
            size = self._file.tell()
            if size > self._shorten_at:
                self._shorten_at = size + self._limit  # when to try again if it fails
                self._leave_out_middle(size)

    def _leave_out_middle(self, size: int) -> None:
        """Keep a quarter of the limit from the beginning and half of it from the end."""
        self._file.seek(0)
        head = self._file.read(self._head_bytes)
        head = head[: head.rfind(b"\n") + 1] or head
        self._file.seek(size - self._limit // 2)
        tail = self._file.read()
        tail = tail.partition(b"\n")[2] or tail
        self._left_out_bytes += size - len(head) - self._marker_bytes - len(tail)
        marker = f"\n… {self._left_out_bytes:,} bytes are left out here …\n\n".encode()
        part = self._path.with_name(f"{self._path.name}.part")
        shortened = _opened(part)
        shortened.truncate(0)
        shortened.write(head + marker + tail)
        part.replace(self._path)
        self._file.close()
        self._file, self._head_bytes, self._marker_bytes = shortened, len(head), len(marker)
        self._shorten_at = self._limit


def _opened(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    return os.fdopen(handle, "ab+", buffering=0)


def read_from(path: Path, offset: int) -> tuple[str, int]:
    """At most 64 KiB of the log from `offset` on, and the offset that follows.

    A character whose bytes are not all there yet is left for the next time. An offset beyond the
    end (the log was shortened since) goes on near the end.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if offset > size:
                offset = max(0, size - PIECE_BYTES)
            offset = file.seek(max(0, offset))
            data = file.read(PIECE_BYTES)
    except OSError:
        return "", 0
    whole = _without_cut_character(data)
    return whole.decode("utf-8", "replace"), offset + len(whole)


def _without_cut_character(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character at its end."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte & 0b1100_0000 == 0b1100_0000:
            needed = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return data[:-length] if length < needed else data
        if byte < 0x80:
            return data
    return data


def tail(path: Path, lines: int) -> str:
    """The last lines as a terminal would show them, read from the end of the file."""
    wanted = PIECE_BYTES
    while True:
        text, is_all = _end(path, wanted)
        shown = _as_on_a_terminal(text)
        if shown and not shown[-1]:
            shown.pop()
        if is_all or len(shown) >= lines or wanted >= LONGEST_TAIL_BYTES:
            return "\n".join(shown[-lines:])
        wanted *= 4


def _end(path: Path, wanted: int) -> tuple[str, bool]:
    """The last bytes from the first whole line on, and whether that is the whole file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - wanted))
            data = file.read(wanted)
    except OSError:
        return "", True
    if size > wanted:
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "replace"), size <= wanted


def pieces(path: Path, count: int, piece_bytes: int = 8_192) -> list[str]:
    """The end of the log in at most `count` pieces of whole lines.

    A piece has the lines that begin within one stretch of the file, so that all but the last stay
    the same while the log grows.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            at = max(0, (size // piece_bytes - count + 1) * piece_bytes)
            file.seek(max(0, at - 1))
            data = file.read(size)
    except OSError:
        return []
    begun, newline, rest = data.partition(b"\n")
    if at and newline:  # that line belongs to a piece before
        at, data = at + len(begun), rest
    found: dict[int, list[bytes]] = {}
    for line in data.removesuffix(b"\n").split(b"\n"):
        found.setdefault(at // piece_bytes, []).append(line)
        at += len(line) + 1
    texts = (b"\n".join(lines).decode("utf-8", "replace") for lines in found.values())
    return ["\n".join(_as_on_a_terminal(text)) for text in texts]


def _as_on_a_terminal(text: str) -> list[str]:
    """Its lines; of one that was written over again and again, what stands there last."""
    return [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
