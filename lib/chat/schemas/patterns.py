"""Regular expressions of schemas as trees: what of them can be put into a grammar.

Only what means the same everywhere is read. The rest is None, and only the check after the reply
holds to it: look-around, word boundaries, flags, set operations in classes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

HIGHEST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]  # of code points, both ends included, in order


@dataclass(frozen=True)
class Chars:
    """One character out of these."""

    ranges: Ranges


@dataclass(frozen=True)
class Chain:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Choice:
    """One of them."""

    options: tuple["Node", ...]


@dataclass(frozen=True)
class Repeat:
    """The same several times; `most` None: without end."""

    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True)
class Edge:
    """`^` or `$`."""

    is_start: bool


Node = Chars | Chain | Choice | Repeat | Edge
EMPTY = Chain(())
_SPACES = (
    (9, 13), (32, 32), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
)  # fmt: skip
_DIGITS, _WORD = ((48, 57),), ((48, 57), (65, 90), (95, 95), (97, 122))
_CLASSES: dict[str, Ranges] = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|[xu]\{([0-9a-fA-F]{1,6})\}")
_COUNT = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_GROUP = re.compile(r"\?(?::|P?<[A-Za-z_][A-Za-z0-9_]*>)")
_SETS = ("&&", "--", "~~")


class _OtherError(Exception):
    """Nothing that a grammar says."""


def parsed(pattern: str) -> Node | None:
    """The pattern as it matches a whole text, all of it anchored; None where that cannot be said.

    Where it may stand anywhere in the text, anything comes before and behind.
    """
    try:
        reader = _Reader(pattern)
        found = reader.choice()
        if reader.at < len(pattern):
            return None
        return _plain(_whole(found))
    except _OtherError:
        return None


def negated(ranges: Ranges) -> Ranges:
    """All other characters."""
    made, at = [], 0
    for low, high in ranges:
        if at < low:
            made.append((at, low - 1))
        at = high + 1
    return (*made, (at, HIGHEST)) if at <= HIGHEST else tuple(made)


def joined(ranges: Sequence[tuple[int, int]]) -> Ranges:
    """In order, and none beside or over another."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], high))
        else:
            made.append((low, high))
    return tuple(made)


def length(node: Node) -> tuple[int, int | None]:
    """Of the texts that it matches: the least and the most characters."""
    match node:
        case Chars():
            return 1, 1
        case Edge():
            return 0, 0
        case Chain(parts):
            sizes = [length(part) for part in parts]
            most = [high for _, high in sizes]
            return sum(low for low, _ in sizes), _sum(most)
        case Choice(options):
            sizes = [length(option) for option in options]
            highs = [high for _, high in sizes]
            longest = None if None in highs else max(high or 0 for high in highs)
            return min(low for low, _ in sizes), longest
        case Repeat(part, least, times):
            low, high = length(part)
            if high == 0 or times == 0:
                return 0, 0
            return low * least, None if high is None or times is None else high * times


def _sum(numbers: list[int | None]) -> int | None:
    return None if None in numbers else sum(number or 0 for number in numbers)


ANY = Chars(((0, HIGHEST),))
ANYTHING = Repeat(ANY, 0, None)


def _whole(found: Node) -> Node:
    options = found.options if isinstance(found, Choice) else (found,)
    return _choice([_anchored(option) for option in options])


def _anchored(option: Node) -> Node:
    parts = list(option.parts) if isinstance(option, Chain) else [option]
    if len(parts) == 1 and isinstance(parts[0], Choice):
        return _whole(parts[0])
    starts, ends = parts[:1] == [Edge(True)], parts[-1:] == [Edge(False)]
    inner = parts[1 if starts else 0 : -1 if ends else None]
    if any(_has_edge(part) for part in inner):
        raise _OtherError
    before, behind = [] if starts else [ANYTHING], [] if ends else [ANYTHING]
    return Chain((*before, *inner, *behind))


def _has_edge(node: Node) -> bool:
    match node:
        case Edge():
            return True
        case Chain(parts):
            return any(map(_has_edge, parts))
        case Choice(options):
            return any(map(_has_edge, options))
        case Repeat(part, _, _):
            return _has_edge(part)
    return False


def _plain(node: Node) -> Node:
    """The same without loops over nothing: a grammar that has one is refused."""
    match node:
        case Chain(parts):
            return Chain(tuple(map(_plain, parts)))
        case Choice(options):
            return _choice([_plain(option) for option in options])
        case Repeat(part, least, most):
            inner = _plain(part)
            if length(inner)[0] > 0:
                return Repeat(inner, least, most)
            solid = _solid(inner)
            return Repeat(solid, 0, most) if solid else EMPTY
    return node


def _solid(node: Node) -> Node | None:
    """The same without the empty text; None where nothing is left."""
    if length(node)[0] > 0:
        return node
    match node:
        case Choice(options):
            left = [solid for option in options if (solid := _solid(option))]
            return _choice(left) if left else None
        case Repeat(part, _, most) if most != 0:
            return Repeat(part, 1, most)
        case Chain(parts) if len(parts) == 1:
            return _solid(parts[0])
        case Chain(parts) if parts:
            raise _OtherError
    return None


def _choice(options: list[Node]) -> Node:
    return options[0] if len(options) == 1 else Choice(tuple(options))


class _Reader:
    """Reads one pattern from its beginning; `at` is where it stands."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def choice(self) -> Node:
        options = [self._chain()]
        while self._next_is("|"):
            self.at += 1
            options.append(self._chain())
        return _choice(options)

    def _chain(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._repeated(self._atom()))
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def _atom(self) -> Node:
        char = self._take()
        match char:
            case "^" | "$":
                return Edge(char == "^")
            case ".":
                return Chars(negated(((10, 10), (13, 13), (0x2028, 0x2029))))
            case "(":
                return self._group()
            case "[":
                return Chars(self._class())
            case "\\":
                return Chars(self._escaped())
            case "*" | "+" | "?" | "{" | "}" | "]":
                raise _OtherError
        return _one(ord(char))

    def _group(self) -> Node:
        if self._next_is("?"):
            named = _GROUP.match(self.pattern, self.at)
            if not named:
                raise _OtherError
            self.at = named.end()
        inner = self.choice()
        if self._take() != ")":
            raise _OtherError
        return inner

    def _repeated(self, atom: Node) -> Node:
        times: tuple[int, int | None]
        if self._next_is("*"):
            times = 0, None
        elif self._next_is("+"):
            times = 1, None
        elif self._next_is("?"):
            times = 0, 1
        elif self._next_is("{"):
            return self._lazy(self._counted(atom))
        else:
            return atom
        self.at += 1
        return self._lazy(Repeat(atom, *times))

    def _lazy(self, found: Node) -> Node:
        """How much is tried first does not matter to whether it matches."""
        if self._next_is("?"):
            self.at += 1
        if self.at < len(self.pattern) and self.pattern[self.at] in "*+?{":
            raise _OtherError
        return found

    def _counted(self, atom: Node) -> Node:
        count = _COUNT.match(self.pattern, self.at)
        if not count or isinstance(atom, Edge):
            raise _OtherError
        self.at = count.end()
        least = int(count[1])
        most = least if not count[2] else int(count[3]) if count[3] else None
        return Repeat(atom, least, most)

    def _class(self) -> Ranges:
        is_negated = self._next_is("^")
        self.at += is_negated
        end = self._end_of_class()
        if any(mark in self.pattern[self.at : end] for mark in _SETS):
            raise _OtherError
        found: list[tuple[int, int]] = []
        while self.at < end:
            found += self._range(end)
        self.at = end + 1
        made = joined(found)
        return negated(made) if is_negated else made

    def _end_of_class(self) -> int:
        at = self.at
        while at < len(self.pattern) and self.pattern[at] != "]":
            if self.pattern[at] == "[":
                raise _OtherError
            at += 2 if self.pattern[at] == "\\" else 1
        if at >= len(self.pattern) or at == self.at:
            raise _OtherError
        return at

    def _range(self, end: int) -> Ranges:
        low = self._one_of_class()
        is_range = self._next_is("-") and self.at + 1 < end
        if not is_range or len(low) > 1 or low[0][0] != low[0][1]:
            return low
        self.at += 1
        high = self._one_of_class()
        if len(high) > 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
            raise _OtherError
        return ((low[0][0], high[0][0]),)

    def _one_of_class(self) -> Ranges:
        char = self._take()
        return self._escaped() if char == "\\" else ((ord(char), ord(char)),)

    def _escaped(self) -> Ranges:
        char = self._take()
        if char.lower() in _CLASSES:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else negated(ranges)
        if char in _CONTROLS:
            return ((_CONTROLS[char], _CONTROLS[char]),)
        if found := _HEX.match(self.pattern, self.at - 1):
            self.at = found.end()
            code = int(found[1] or found[2] or found[3], 16)
            return ((code, code),) if code <= HIGHEST else self._other()
        if char.isalnum() or not char.isascii():
            raise _OtherError
        return ((ord(char), ord(char)),)

    def _other(self) -> NoReturn:
        raise _OtherError

    def _take(self) -> str:
        if self.at >= len(self.pattern):
            raise _OtherError
        self.at += 1
        return self.pattern[self.at - 1]

    def _next_is(self, char: str) -> bool:
        return self.pattern.startswith(char, self.at)


def _one(code: int) -> Chars:
    return Chars(((code, code),))
