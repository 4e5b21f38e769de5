"""JSON with comments and commas too many: changed by cutting its text, so that all else stays."""

import json
from typing import Any, NamedTuple

from lib.connect.formats import json_spans
from lib.connect.formats.json_spans import Member, Node
from lib.connect.formats.places import Item, Path
from lib.connect.formats.trouble import CannotEdit

INDENT = "  "


class _Home(NamedTuple):
    """The innermost object of a path that is there, and what of the path is not."""

    node: Node
    rest: tuple[str, ...]


def read(text: str) -> Any:
    """The data; an empty file is an empty object. Unreadable where it is no JSON."""
    return json_spans.parsed(text).value if text.strip("\ufeff \t\r\n") else {}


def put(text: str, path: Path, value: Any) -> str:
    """The text with this value there."""
    if not text.strip("\ufeff \t\r\n"):
        return json.dumps(_nested(_keys(path), value), indent=2, ensure_ascii=False) + "\n"
    home = _home(json_spans.parsed(text), _keys(path))
    if not home.rest:
        raise CannotEdit()
    member = home.node.member(home.rest[0])
    if member is not None:  # it is there: another value, or no object where one has to be
        return _replaced(text, member, _nested(home.rest[1:], value))
    return _inserted(text, home.node, home.rest[0], _nested(home.rest[1:], value))


def drop(text: str, path: Path) -> str:
    """The text without what stands there."""
    keys = _keys(path)
    if not text.strip("\ufeff \t\r\n"):
        return text
    node: Node | None = json_spans.parsed(text)
    for key in keys[:-1]:
        found = node.member(key) if node else None
        node = found.node if found else None
    member = node.member(keys[-1]) if node else None
    return _without(text, node, member) if node and member else text


def _keys(path: Path) -> tuple[str, ...]:
    if any(isinstance(step, Item) for step in path):
        raise CannotEdit()
    return tuple(str(step) for step in path)


def _nested(keys: tuple[str, ...], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _home(node: Node, keys: tuple[str, ...]) -> _Home:
    """As far into the text as there are objects; the last key stays outside."""
    for at, key in enumerate(keys[:-1]):
        member = node.member(key)
        if member is None or not member.node.is_object:
            return _Home(node, keys[at:])
        node = member.node
    return _Home(node, keys[-1:])


def _replaced(text: str, member: Member, value: Any) -> str:
    node = member.node
    indent = _indent_of(text, member.start)
    return text[: node.start] + _written(text, value, indent) + text[node.end :]


def _inserted(text: str, node: Node, key: str, value: Any) -> str:
    """After the last member, in a line of its own where the others have theirs."""
    if not node.is_object:
        raise CannotEdit()
    newline = _newline(text)
    if not node.members:
        return _first(text, node, key, value, newline)
    last = node.members[-1]
    indent = _indent_of(text, last.start)
    member = f"{json.dumps(key, ensure_ascii=False)}: "
    if indent is None:  # all in one line
        one = member + json.dumps(value, ensure_ascii=False)
        at = last.comma if last.comma is not None else last.node.end - 1
        comma = "" if last.comma is not None else ","
        return f"{text[: at + 1]}{comma} {one}{text[at + 1 :]}"
    made = f"{newline}{indent}{member}{_written(text, value, indent)}"
    if last.comma is not None:
        at = json_spans.line_end(text, last.comma + 1)
        return f"{text[:at]}{made},{text[at:]}"
    at = json_spans.line_end(text, last.node.end)
    return f"{text[: last.node.end]},{text[last.node.end : at]}{made}{text[at:]}"


def _first(text: str, node: Node, key: str, value: Any, newline: str) -> str:
    outer = _line_indent(text, node.start)
    indent = outer + INDENT
    rest = text[node.start + 1 : node.end - 1]
    made = f"{newline}{indent}{json.dumps(key, ensure_ascii=False)}: "
    made += _written(text, value, indent)
    end = rest if rest.strip() else f"{newline}{outer}"
    return text[: node.start + 1] + made + end + text[node.end - 1 :]


def _without(text: str, node: Node, member: Member) -> str:
    """Cut the member with its comma, and the line where nothing else stands in it."""
    start, end = member.start, member.node.end
    at = node.members.index(member)
    if member.comma is not None:
        end = member.comma + 1
    elif at:
        before = node.members[at - 1].comma
        if before is not None:  # the comma before it goes too
            text = text[:before] + text[before + 1 :]
            start, end = start - 1, end - 1
    return _cut(text, start, end)


def _cut(text: str, start: int, end: int) -> str:
    left = start
    while left and text[left - 1] in " \t":
        left -= 1
    right = end
    while right < len(text) and text[right] in " \t":
        right += 1
    if (not left or text[left - 1] == "\n") and text[right : right + 2].startswith(("\n", "\r\n")):
        return text[:left].removesuffix("\n").removesuffix("\r") + text[right:]
    return text[:left] + text[end:]


def _written(text: str, value: Any, indent: str | None) -> str:
    """As the lines around it are."""
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    unit = "\t" if indent.startswith("\t") else INDENT
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{_newline(text)}{indent}".join(lines)


def _indent_of(text: str, start: int) -> str | None:
    """What stands before this in its line, if that is nothing but space."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    is_alone = not before.strip(" \t") and "\n" in text[:start]
    return before if is_alone else None


def _line_indent(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
