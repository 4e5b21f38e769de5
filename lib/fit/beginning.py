"""Headers at the beginning of files whose length is known only once a part of them is read."""

from collections.abc import Callable
from typing import TypeVar

from lib.core.errors import BrokenFile

Parsed = TypeVar("Parsed")


class NeedMore(Exception):
    """The prefix ends inside the header; `bytes` is the length worth asking for next.

    `at` is where the first byte that is missed belongs, for whoever can leave some before it out.
    """

    def __init__(self, wanted: int, at: int = 0) -> None:
        super().__init__(f"the header goes on: read {wanted:,} bytes")
        self.bytes = wanted
        self.at = at


def read_beginning(
    more: Callable[[int], bytes],
    parse: Callable[[bytes], Parsed],
    first_bytes: int,
    name: str,
    fix: str,
) -> Parsed:
    """What `parse` makes of as much as it needs: it raises NeedMore for a beginning too short.

    `more(n)` gives the next n bytes, fewer only at the end; BrokenFile where that comes too early.
    """
    data, wanted = b"", first_bytes
    while True:
        piece = more(wanted - len(data))
        data += piece
        try:
            return parse(data)
        except NeedMore as error:
            if not piece:
                said = f"{name} ends inside its header, after {len(data):,} bytes."
                raise BrokenFile(said, fix) from error
            wanted = error.bytes
