"""The bytes of a GGUF header, read step by step; every step is checked against their end."""

import struct

from lib.core.errors import BrokenFile
from lib.fit.beginning import NeedMore

LONGEST_HEADER = 64 * 2**20
AGAIN = "Download it again, or choose another file of this model."

STRING, ARRAY = 8, 9
SCALARS = {
    type_id: struct.Struct(f"<{code}")
    for type_id, code in zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
}
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


class Reader:
    """A position in the bytes of a header; every step is checked against their end."""

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        self.at = 0

    def broken(self, what: str) -> BrokenFile:
        """The error to raise: the file `what`."""
        return BrokenFile(f"{self.name} {what}.", AGAIN)

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        start = self.at
        self.move_to(start + count)
        return self.data[start : self.at]

    def move_to(self, end: int) -> None:
        """Go on at `end`: BrokenFile beyond any header, NeedMore beyond the bytes there are."""
        if end > LONGEST_HEADER:
            raise self.broken(f"has a header longer than {LONGEST_HEADER // 2**20} MB")
        if end > len(self.data):
            raise NeedMore(min(max(end, 2 * len(self.data)), LONGEST_HEADER))
        self.at = end

    def u32(self) -> int:
        """A number of four bytes."""
        number: int = _U32.unpack(self.take(4))[0]
        return number

    def u64(self) -> int:
        """A number of eight bytes."""
        number: int = _U64.unpack(self.take(8))[0]
        return number

    def string(self) -> str:
        """A length and so many bytes of text."""
        return str(self.take(self.u64()), "utf-8", "replace")

    def scalar(self, type_id: int) -> bool | int | float | str:
        """One value that is not an array."""
        if type_id == STRING:
            return self.string()
        if type_id not in SCALARS:
            raise self.broken(f"has a value of the unknown type {type_id}")
        layout = SCALARS[type_id]
        value: bool | int | float = layout.unpack(self.take(layout.size))[0]
        return value

    def skip_strings(self, count: int) -> None:
        """Pass `count` strings; a vocabulary has 300,000, so this is the one loop that is tuned."""
        data, at, length_at = self.data, self.at, _U64.unpack_from
        try:
            for _ in range(count):
                at += 8 + length_at(data, at)[0]
        except (struct.error, OverflowError):
            at += 8
        self.move_to(at)

    def skip_array(self, type_id: int, count: int) -> None:
        """Pass an array whose values nobody needs."""
        if type_id == STRING:
            self.skip_strings(count)
        else:
            self.move_to(self.at + SCALARS[type_id].size * count)
