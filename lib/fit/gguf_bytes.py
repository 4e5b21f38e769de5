"""The bytes of a GGUF header, read step by step; every step is checked against their end."""

import struct
from collections.abc import Mapping

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


class NeedStrings(NeedMore):
    """The prefix ends inside an array of strings that is passed over.

    Of `count` strings, the first of which begins at `start`, `passed` end before `at`.
    """

    def __init__(self, wanted: int, at: int, start: int, passed: int, count: int) -> None:
        super().__init__(wanted, at)
        self.start, self.passed, self.count = start, passed, count


class Reader:
    """A position in the bytes of a header; every step is checked against their end.

    `jumps` tells of arrays, by where they begin, where they end. While `may_jump` is set, bytes are
    passed over that nobody has.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        name: str,
        jumps: Mapping[int, int] | None = None,
    ) -> None:
        self.data = memoryview(data)
        self.name = name
        self.at = 0
        self.jumps = jumps
        self.may_jump = False

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
        self._check(end)
        if end > len(self.data):
            raise NeedMore(self._worth(end), self.at)
        self.at = end

    def _check(self, end: int) -> None:
        if end > LONGEST_HEADER:
            raise self.broken(f"has a header longer than {LONGEST_HEADER // 2**20} MB")

    def _worth(self, end: int) -> int:
        """How much to ask for where it has to reach to `end`."""
        return min(max(end, 2 * len(self.data)), LONGEST_HEADER)

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
        data, at, length_at, passed = self.data, self.at, _U64.unpack_from, 0
        if self.may_jump and self.jumps and at in self.jumps:
            self._pass_to(self.jumps[at])
            return
        if self.jumps is None and at + 8 * count > len(data):  # nobody asks how many are there
            self.move_to(at + 8 * count)
        try:
            for passed in range(count):  # noqa: B007 (told where it ends early)
                at += 8 + length_at(data, at)[0]
        except (struct.error, OverflowError):
            self._check(at + 8)
            more = self._worth(at + 8)
            raise NeedStrings(more, at, self.at, passed, count) from None
        self._pass_to(at)

    def skip_array(self, type_id: int, count: int) -> None:
        """Pass an array whose values nobody needs."""
        if type_id == STRING:
            self.skip_strings(count)
        else:
            self._pass_to(self.at + SCALARS[type_id].size * count)

    def _pass_to(self, end: int) -> None:
        if not self.may_jump:
            self.move_to(end)
        self._check(end)
        self.at = end
