"""A file on the Hub read piece by piece, from its beginning."""

import re

from lib.hub.api import ask, file_address
from lib.hub.cards import Card, RepoFile
from lib.hub.errors import Asked, unreadable

PIECE_SECONDS = 120.0
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class Pieces:
    """A file as a source of bytes.

    Each piece is at most as long as `first_bytes`, or as all before it, or as `later_bytes` where
    that is more, so that a wrong length in the file costs little. A server that knows no ranges is
    read from the beginning and left when there is enough.
    """

    def __init__(self, card: Card, file: RepoFile, first_bytes: int, later_bytes: int = 0) -> None:
        self._asked = Asked(card.id, card.sha, file.path)
        self._size = file.bytes
        self._first_bytes = first_bytes
        self._later_bytes = later_bytes
        self._at = 0
        self.has_ranges = True

    def more(self, count: int) -> bytes:
        """The next `count` bytes, or fewer; none only at the end."""
        longest = max(self._at, self._later_bytes) if self._at else 0
        longest = max(longest, self._first_bytes)
        count = min(count, longest, self._size - self._at)
        if count <= 0:
            return b""
        piece = self.piece(self._at, count)
        self._at += len(piece)
        return piece

    def piece(self, start: int, count: int) -> bytes:
        """These bytes, fewer only where the server sends fewer, wherever they are."""
        answer = ask(
            file_address(*self._asked),
            self._asked,
            headers={"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"},
            seconds=PIECE_SECONDS,
            limit_bytes=start + count,
        )
        if answer.status != 206:
            self.has_ranges = False
            return answer.body[start:]
        place = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if not place or int(place[1]) != start:
            raise unreadable()
        return answer.body[:count]
