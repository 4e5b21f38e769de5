"""Where in a JSON text its values stand; comments and a comma before the end are no matter."""

import json
import re
from typing import Any, NamedTuple, NoReturn

from lib.connect.formats.trouble import Unreadable

DEEPEST = 60
_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"(?:[ \t]+|/\*[^\n]*?\*/)*(?://[^\r\n]*)?(?=\r?\n)")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?\d[\d.eE+-]*|true|false|null")


class Node(NamedTuple):
    """A value and its place."""

    start: int
    end: int
    value: Any
    members: tuple["Member", ...] = ()
    is_object: bool = False

    def member(self, key: str) -> "Member | None":
        """Of two with one name the last, as every reader takes it."""
        return next((one for one in reversed(self.members) if one.key == key), None)


class Member(NamedTuple):
    """A name in an object, its value, and where its comma is."""

    key: str
    start: int
    node: Node
    comma: int | None


def parsed(text: str) -> Node:
    """The whole; Unreadable with the line where it ends being JSON."""
    start = 1 if text.startswith("\ufeff") else 0
    node = _value(text, _skip(text, start), 1)
    if _skip(text, node.end) < len(text):
        _refuse(text, node.end)
    return node


def line_end(text: str, at: int) -> int:
    """Past a comment in the same line; the place itself where something else follows."""
    found = _REST_OF_LINE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > DEEPEST:
        _refuse(text, at)
    if text.startswith("{", at):
        return _object(text, at, depth)
    if text.startswith("[", at):
        return _array(text, at, depth)
    found = _STRING.match(text, at) or _SCALAR.match(text, at)
    if found is None:
        _refuse(text, at)
    try:
        return Node(at, found.end(), json.loads(found[0]))
    except ValueError:
        _refuse(text, at)


def _object(text: str, start: int, depth: int) -> Node:
    members: list[Member] = []
    at = _skip(text, start + 1)
    while not text.startswith("}", at):
        if members and members[-1].comma is None:
            _refuse(text, at)
        member = _member(text, at, depth)
        members.append(member)
        end = member.node.end if member.comma is None else member.comma + 1
        at = _skip(text, end)
    value = {one.key: one.node.value for one in members}
    return Node(start, at + 1, value, tuple(members), is_object=True)


def _member(text: str, at: int, depth: int) -> Member:
    name = _STRING.match(text, at)
    if name is None:
        _refuse(text, at)
    colon = _skip(text, name.end())
    if not text.startswith(":", colon):
        _refuse(text, colon)
    node = _value(text, _skip(text, colon + 1), depth + 1)
    after = _skip(text, node.end)
    return Member(json.loads(name[0]), at, node, after if text.startswith(",", after) else None)


def _array(text: str, start: int, depth: int) -> Node:
    found: list[Any] = []
    at, needs_comma = _skip(text, start + 1), False
    while not text.startswith("]", at):
        if needs_comma:
            _refuse(text, at)
        node = _value(text, at, depth + 1)
        found.append(node.value)
        at = _skip(text, node.end)
        needs_comma = not text.startswith(",", at)
        at = at if needs_comma else _skip(text, at + 1)
    return Node(start, at + 1, found)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _refuse(text: str, at: int) -> NoReturn:
    line = text.count("\n", 0, at) + 1
    raise Unreadable(f"It is no JSON from line {line} on.", "Correct it there first.")
