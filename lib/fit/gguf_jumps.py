"""A GGUF header read without most of its vocabulary, which is nine tenths of it.

A vocabulary is a few long arrays. Of numbers it is known where they end. Strings stand one behind
the other with their lengths, so the end of an array of them is looked for: at about the place that
its beginning makes likely, in windows, each of which tells whether it lies before the end. What is
found counts only if all that follows it can be read and the whole asks for a file of exactly the
size that there is; else the caller reads the header from its beginning to its end.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from lib.core.errors import BrokenFile
from lib.fit.beginning import NeedMore
from lib.fit.gguf import Header, parse
from lib.fit.gguf_bytes import ARRAY, LONGEST_HEADER, SCALARS, STRING, NeedStrings

FIRST_READ = 2**20  # holds the header of a vocabulary of 32,000 tokens
WINDOW = 384 * 2**10
MOST_WINDOWS = 8  # in all: with the first bytes 4 MiB
FEW = 500  # strings: from fewer nobody can tell how long the others are
MARGIN = 512  # bytes, in which a key, its value and the next key are seen whole
PADDING = 4_096  # what a file may have behind its last tensor
LONGEST_STRING = 2**16  # of a vocabulary
SYNC_WITHIN = 2**13  # in the middle of an array a string begins that soon
COUNT_OFF = 1.5  # how far the number of strings may be guessed wrong
CHAIN = 24  # so many strings in a row are no accident
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_LENGTH = re.compile(rb"(?=[\x01-\xff][\x00-\x0f]\0{6})", re.DOTALL)
_KEY = re.compile(rb"[a-z0-9_]+(?:\.[A-Za-z0-9_\-]+)+")
LONGEST_KEY = 128

Fetch = Callable[[int, int], bytes]


class NoWay(Exception):
    """The header cannot be read so."""


class _Place(NamedTuple):
    """A place in an array of strings: where one begins, about the how many-eth, how long they are.

    The mean length counts the eight bytes before each.
    """

    at: int
    passed: float
    mean: float


def read_with_jumps(first: bytes, fetch: Fetch, size: int, name: str) -> Header:
    """The header of a file of this size, of which `first` is the beginning.

    `fetch(start, count)` gives just these bytes. NoWay where it must be read whole; BrokenFile for
    what is wrong in the first bytes already.
    """
    sparse, jumps = _Sparse(first, fetch, size), dict[int, int]()
    while True:
        try:
            found = parse(sparse.data, name, jumps)
            break
        except NeedStrings as gap:
            jumps[gap.start] = sparse.go_on_behind(gap)
        except NeedMore as more:
            sparse.go_on_at(max(more.at, len(sparse.data)))
        except BrokenFile as error:
            if jumps:
                raise NoWay from error
            raise
    if sparse.has_holes and not 0 <= size - found.file_bytes <= PADDING:
        raise NoWay
    return found


class _Sparse:
    """The beginning of a file, with zeros where nobody has to look."""

    def __init__(self, first: bytes, fetch: Fetch, size: int) -> None:
        self.data = first
        self.has_holes = False
        self._fetch, self._size = fetch, min(size, LONGEST_HEADER)
        self._left = MOST_WINDOWS

    def go_on_at(self, start: int) -> None:
        """The next window from there on."""
        self._put(start, self.window(start))

    def go_on_behind(self, gap: NeedStrings) -> int:
        """The same from behind the array of strings; returns where that ends."""
        search = _Search(gap, self.data[gap.start :], self._size)
        while True:
            start = search.next_start()
            data = self.window(start)
            if end := search.look(start, data):
                self._put(start, data)
                return end

    def window(self, start: int) -> bytes:
        """What is there; NoWay where there is nothing, or where it has been asked too often."""
        end = min(start + WINDOW, self._size)
        self._left -= 1
        if self._left < 0 or end <= start:
            raise NoWay
        data = self._fetch(start, end - start)
        if len(data) != end - start:
            raise NoWay
        return data

    def _put(self, start: int, data: bytes) -> None:
        hole = start - len(self.data)
        self.has_holes |= hole > 0
        self.data = self.data[:start] + bytes(max(0, hole)) + data


class _Search:
    """Where an array of strings ends, of which the beginning is known."""

    def __init__(self, gap: NeedStrings, beginning: bytes, size: int) -> None:
        self._count = gap.count
        self._last = _Place(gap.at, gap.passed, _late_mean(beginning, gap))
        self._before = size  # the end is not behind this

    def next_start(self) -> int:
        """Where to look next: a little before the likely end, and never before what is known."""
        at, passed, mean = self._last
        likely = at + int(max(self._count - passed, 1) * mean)
        if likely >= self._before:
            likely = (at + self._before) // 2
        is_near = min(likely, self._before) - at <= WINDOW - MARGIN
        return at if is_near or passed < FEW else likely - WINDOW // 4

    def look(self, start: int, data: bytes) -> int:
        """The end, if it is in this window; else 0, and the search knows more."""
        known = self._last
        began = 0 if start == known.at else _synced(data)
        if began < 0:
            self._before = start
            return 0
        at, passed, is_end = _walked(data, began)
        mean = (at - began) / passed if passed else known.mean
        between = (start + began - known.at) / ((known.mean + mean) / 2)
        self._last = _Place(start + at, known.passed + between + passed, mean)
        if not is_end and start + at <= known.at:
            raise NoWay
        if is_end and not self._count / COUNT_OFF <= self._last.passed <= self._count * COUNT_OFF:
            raise NoWay
        return start + at if is_end else 0


def _late_mean(beginning: bytes, gap: NeedStrings) -> float:
    """The mean length of the last half of the strings that are there: later ones are longer."""
    half, at = gap.passed // 2, 0
    for _ in range(half):
        at += 8 + _U64.unpack_from(beginning, at)[0]
    return (gap.at - gap.start - at) / max(gap.passed - half, 1) if gap.passed else 16.0


def _walked(data: bytes, at: int) -> tuple[int, int, bool]:
    """Along the strings to where something else begins, or to the end of what there is."""
    passed = 0
    while at + MARGIN < len(data):
        if _is_next(data, at):
            return at, passed, True
        length = _U64.unpack_from(data, at)[0]
        if length > LONGEST_STRING:
            raise NoWay
        at, passed = at + 8 + length, passed + 1
    return at, passed, False


def _synced(data: bytes) -> int:
    """Where the first string begins in bytes out of the middle of an array; -1 if they are none."""
    for match in _LENGTH.finditer(data, 0, SYNC_WITHIN):
        at, passed = match.start(), 0
        while passed < CHAIN and at + 8 <= len(data):
            length = _U64.unpack_from(data, at)[0]
            if not 0 < length <= LONGEST_STRING:
                break
            if passed and _is_next(data, at):
                return match.start()
            at, passed = at + 8 + length, passed + 1
        if passed == CHAIN:
            return match.start()
    return -1


def _is_next(data: bytes, at: int) -> bool:
    """Does a key with a value begin here, or a tensor, and no string of a vocabulary?

    Of a string, the length of the next one stands where a key has the type of its value: what
    would be the value then has an impossible length.
    """
    behind = _named(data, at)
    if not behind or behind + 24 > len(data):
        return False
    type_id = _U32.unpack_from(data, behind)[0]
    if type_id == STRING:
        return bool(_U64.unpack_from(data, behind + 4)[0] < 2**24)
    if type_id == ARRAY:
        of, count = _U32.unpack_from(data, behind + 4)[0], _U64.unpack_from(data, behind + 8)[0]
        return (of in SCALARS or of == STRING) and int(count) < LONGEST_HEADER
    if type_id in SCALARS:
        value_end = behind + 4 + SCALARS[type_id].size
        return bool(_named(data, value_end)) or _is_tensor(data, behind)
    return False


def _is_tensor(data: bytes, behind: int) -> bool:
    """Do the dimensions of a tensor stand here?"""
    dimensions = _U32.unpack_from(data, behind)[0]
    end = behind + 4 + 8 * dimensions
    if not 1 <= dimensions <= 4 or end + 12 > len(data):
        return False
    shape = [_U64.unpack_from(data, behind + 4 + 8 * i)[0] for i in range(dimensions)]
    return all(0 < length < 2**32 for length in shape)


def _named(data: bytes, at: int) -> int:
    """Where a name with dots in it ends that begins here with its length; else 0."""
    if at + 8 > len(data):
        return 0
    length = _U64.unpack_from(data, at)[0]
    end = at + 8 + length
    if not 3 <= length <= LONGEST_KEY or end > len(data):
        return 0
    return end if _KEY.fullmatch(data, at + 8, end) else 0
