"""The grammars that llama.cpp makes of schemas: which texts they allow, and texts drawn of them.

The notation is llama.cpp's own (GBNF): one rule a line, `name ::= alternatives`.
"""

import random
from dataclasses import dataclass, field
from typing import Any

Node = tuple[Any, ...]
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "[": "[", "]": "]"}
_CODES = {"x": 2, "u": 4, "U": 8}
_USUAL = "abc XYZ019é€"


@dataclass
class Grammar:
    """Its rules, each as a tree."""

    rules: dict[str, Node]
    root: str = "response-format"
    _known: dict[tuple[str, int], frozenset[int]] = field(default_factory=dict)
    _text: str = ""

    def accepts(self, text: str) -> bool:
        """Is the whole text allowed?"""
        self._known, self._text = {}, text
        return len(text) in self._ends(("rule", self.root), 0)

    def _ends(self, node: Node, at: int) -> frozenset[int]:
        match node:
            case ("rule", str(name)):
                return self._of_rule(name, at)
            case ("chars", bool(is_not), tuple(ranges)):
                is_one = self._text[at:] and _is_allowed(self._text[at], is_not, ranges)
                return frozenset([at + 1] if is_one else [])
            case ("chain", tuple(parts)):
                places = frozenset([at])
                for part in parts:
                    places = frozenset(end for place in places for end in self._ends(part, place))
                return places
            case ("choice", tuple(options)):
                return frozenset(end for option in options for end in self._ends(option, at))
            case ("repeat", part, int(least), most):
                return self._repeated(part, least, most, at)
        raise AssertionError(node)

    def _of_rule(self, name: str, at: int) -> frozenset[int]:
        if (name, at) not in self._known:
            self._known[name, at] = frozenset()
            self._known[name, at] = self._ends(self.rules[name], at)
        return self._known[name, at]

    def _repeated(self, part: Node, least: int, most: int | None, at: int) -> frozenset[int]:
        found = frozenset([at]) if least == 0 else frozenset()
        places, times = frozenset([at]), 0
        while places and (most is None or times < most):
            places = frozenset(end for place in places for end in self._ends(part, place))
            times += 1
            if times >= least:
                if places <= found:
                    break
                found |= places
        return found

    def drawn(self, dice: random.Random) -> str:
        """A text that it allows, most likely a short one."""
        made: list[str] = []
        self._draw(("rule", self.root), dice, made, 0)
        return "".join(made)

    def _draw(self, node: Node, dice: random.Random, made: list[str], depth: int) -> None:
        match node:
            case ("rule", str(name)) if name != "space":
                self._draw(self.rules[name], dice, made, depth + 1)
            case ("chars", bool(is_not), tuple(ranges)):
                made.append(_char(is_not, ranges, dice))
            case ("chain", tuple(parts)):
                for part in parts:
                    self._draw(part, dice, made, depth)
            case ("choice", tuple(options)):
                self._draw(self._option(options, dice, depth), dice, made, depth)
            case ("repeat", part, int(least), most):
                self._draw(("chain", (part,) * _times(dice, least, most, depth)), dice, made, depth)

    def _option(self, options: tuple[Node, ...], dice: random.Random, depth: int) -> Node:
        """Deep down the one that ends soonest, or nothing would ever end."""
        if depth <= 12:
            return dice.choice(options)
        return min(options, key=lambda option: self._height(option, frozenset()))

    def _height(self, node: Node, within: frozenset[str]) -> int:
        match node:
            case ("rule", str(name)):
                return 99 if name in within else 1 + self._height(self.rules[name], within | {name})
            case ("chain", tuple(parts)):
                return max((self._height(part, within) for part in parts), default=0)
            case ("choice", tuple(options)):
                return min(self._height(option, within) for option in options)
            case ("repeat", part, int(least), _):
                return self._height(part, within) if least else 0
        return 0


def _times(dice: random.Random, least: int, most: int | None, depth: int) -> int:
    upper = least + (0 if depth > 12 else 2)
    return dice.randint(least, upper if most is None else min(upper, most))


def _is_allowed(char: str, is_not: bool, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= ord(char) <= high for low, high in ranges) != is_not


def _char(is_not: bool, ranges: tuple[tuple[int, int], ...], dice: random.Random) -> str:
    usual = [char for char in _USUAL if _is_allowed(char, is_not, ranges)]
    if usual and (is_not or dice.random() < 0.8):
        return dice.choice(usual)
    low, high = dice.choice(ranges)
    return chr(dice.choice((low, high, dice.randint(low, min(high, low + 40)))))


def read(text: str) -> Grammar:
    """The rules of a grammar."""
    rules = {}
    for line in text.split("\n"):
        if line.strip():
            name, _, body = line.partition(" ::= ")
            reader = _Reader(body)
            rules[name] = reader.choice()
            assert reader.at == len(body), (line, reader.at)
    return Grammar(rules)


class _Reader:
    """Reads the body of one rule."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def choice(self) -> Node:
        options = [self._chain()]
        while self._peek() == "|":
            self.at += 1
            options.append(self._chain())
        return options[0] if len(options) == 1 else ("choice", tuple(options))

    def _chain(self) -> Node:
        parts: list[Node] = []
        while self._skip() and self._peek() not in "|)":
            parts.append(self._repeated(self._atom()))
        return ("chain", tuple(parts))

    def _atom(self) -> Node:
        char = self._take()
        if char == '"':
            codes = []
            while self._peek() != '"':
                codes.append(self._code())
            self.at += 1
            return ("chain", tuple(("chars", False, ((code, code),)) for code in codes))
        if char == "[":
            return self._class()
        if char == "(":
            inner = self.choice()
            assert self._take() == ")"
            return inner
        start = self.at - 1
        while self._peek().isalnum() or self._peek() == "-":
            self.at += 1
        return ("rule", self.text[start : self.at])

    def _class(self) -> Node:
        is_not = self._peek() == "^"
        self.at += is_not
        ranges = []
        while self._peek() != "]":
            low = high = self._code()
            if self._peek() == "-" and self.text[self.at + 1] != "]":
                self.at += 1
                high = self._code()
            ranges.append((low, high))
        self.at += 1
        return ("chars", is_not, tuple(ranges))

    def _code(self) -> int:
        char = self._take()
        if char != "\\":
            return ord(char)
        kind = self._take()
        if digits := _CODES.get(kind):
            self.at += digits
            return int(self.text[self.at - digits : self.at], 16)
        return ord(_ESCAPES[kind])

    def _repeated(self, atom: Node) -> Node:
        while self._peek() and self._peek() in "*+?{":
            match self._take():
                case "*":
                    atom = ("repeat", atom, 0, None)
                case "+":
                    atom = ("repeat", atom, 1, None)
                case "?":
                    atom = ("repeat", atom, 0, 1)
                case _:
                    end = self.text.index("}", self.at)
                    least, comma, most = self.text[self.at : end].partition(",")
                    self.at = end + 1
                    upper = int(most) if most else None if comma else int(least)
                    atom = ("repeat", atom, int(least or 0), upper)
        return atom

    def _skip(self) -> bool:
        while self._peek() == " ":
            self.at += 1
        return self.at < len(self.text)

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]
