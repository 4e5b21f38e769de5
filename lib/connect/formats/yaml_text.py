"""YAML: an entry of a list is put in or cut out as lines of its own; all other lines stay."""

import json
from typing import Any

import yaml

from lib.connect.formats.places import Item, Path, value_at
from lib.connect.formats.trouble import CannotEdit, Unreadable

_Node = Any  # yaml has no types of its own
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is there


def read(text: str) -> Any:
    """The data, None where there is none; Unreadable where it is no YAML, or more than one."""
    try:
        return yaml.load(text, _LOADER)  # noqa: S506 (both kinds are the safe one)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" from line {mark.line + 1} on" if mark else ""
        raise Unreadable(f"It is no YAML{where}.", "Correct it there first.") from None


def put(text: str, path: Path, value: Any) -> str:
    """The text with this value there: an entry of a list, or a name of the whole."""
    *above, last = path
    if isinstance(last, str):
        return _named(text, above, last, value)
    found = _node_at(text, tuple(above))
    if value_at(read(text), path) is not None and isinstance(found, yaml.SequenceNode):
        return _replaced(text, found, last, value)
    if isinstance(found, yaml.SequenceNode):
        return _appended(text, found, value)
    if found is not None and not _is_nothing(found):
        raise CannotEdit()
    return _begun(text, found, [str(key) for key in above], value)


def drop(text: str, path: Path) -> str:
    """The text without what stands there."""
    if value_at(read(text), path) is None:
        return text
    *above, last = path
    found = _node_at(text, tuple(above))
    if not isinstance(last, Item) or not isinstance(found, yaml.SequenceNode):
        return _unnamed(text, found, last)
    at = _index(found, last)
    if found.flow_style:
        return _without(text, found, at)
    start, end = _lines(text, found, at)
    if len(found.value) == 1 and above:  # a list without entries has to be written
        return f"{text[: _before(text, found)]} []{_rest(text, end)}"
    return text[:start] + text[end:]


def _without(text: str, found: yaml.SequenceNode, at: int) -> str:
    """A list in one line, with one entry less."""
    entry, count = found.value[at], len(found.value)
    start, end = entry.start_mark.index, entry.end_mark.index
    if at + 1 < count:
        end = found.value[at + 1].start_mark.index
    elif at:
        start = found.value[at - 1].end_mark.index
    return text[:start] + text[end:]


def _rest(text: str, end: int) -> str:
    return ("\n" if end and text[end - 1 : end] == "\n" else "") + text[end:]


def _before(text: str, found: _Node) -> int:
    """The end of what stands before the list: `models:`."""
    return text.rfind(":", 0, found.start_mark.index) + 1


def _unnamed(text: str, found: _Node | None, last: str | Item) -> str:
    """Cut a name of the whole with its value."""
    if not isinstance(found, yaml.MappingNode) or found.flow_style:
        raise CannotEdit()
    for key, value in found.value:
        if key.value == last:
            return text[: _line_start(text, key.start_mark.index)] + text[_end(text, value) :]
    return text


def _named(text: str, above: list[str | Item], key: str, value: Any) -> str:
    if above:
        raise CannotEdit()
    node = _node_at(text, ())
    if not isinstance(node, yaml.MappingNode | None) or getattr(node, "flow_style", False):
        raise CannotEdit()
    for name, found in node.value if node else ():
        if name.value == key:
            start, end = found.start_mark.index, found.end_mark.index
            return text[:start] + json.dumps(value, ensure_ascii=False) + text[end:]
    line = _dumped({key: value})
    at = _end(text, node.value[-1][1]) if node else len(text)
    return _joined(text, at, line)


def _begun(text: str, found: _Node | None, above: list[str], value: Any) -> str:
    """A list where there was none, or an empty one."""
    lines = _entry(value, "  " if above else "")
    if not above:
        return _joined(text, len(text), lines)
    root = _node_at(text, ())
    if len(above) > 1 or not isinstance(root, yaml.MappingNode | None):
        raise CannotEdit()
    if found is None or root is None:
        at = _end(text, root.value[-1][1]) if root else len(text)
        return _joined(text, at, f"{above[0]}:\n{lines}")
    start = text.rfind(":", 0, found.start_mark.index + 1) + 1
    end = _line_end(text, found.end_mark.index)
    return f"{text[:start]}\n{lines}{text[end:]}"


def _appended(text: str, found: yaml.SequenceNode, value: Any) -> str:
    if not found.value:
        inside = json.dumps([value], ensure_ascii=False)
        return text[: found.start_mark.index] + inside + text[found.end_mark.index :]
    if found.flow_style:
        at = found.end_mark.index - 1
        return f"{text[:at].rstrip()}, {json.dumps(value, ensure_ascii=False)}{text[at:]}"
    indent = " " * found.start_mark.column
    return _joined(text, _end(text, found.value[-1]), _entry(value, indent))


def _replaced(text: str, found: yaml.SequenceNode, item: Item, value: Any) -> str:
    if found.flow_style:
        raise CannotEdit()
    start, end = _lines(text, found, _index(found, item))
    return text[:start] + _entry(value, " " * found.start_mark.column) + text[end:]


def _entry(value: Any, indent: str) -> str:
    """`- name: …` and the lines below it."""
    lines = _dumped(value).splitlines()
    rest = [f"{indent}  {line}" for line in lines[1:]]
    return "\n".join([f"{indent}- {lines[0]}", *rest]) + "\n"


def _dumped(value: Any) -> str:
    made: str = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return made


def _joined(text: str, at: int, lines: str) -> str:
    before = text[:at]
    gap = "" if not before or before.endswith("\n") else _newline(text)
    return before + gap + lines.replace("\n", _newline(text)) + text[at:]


def _lines(text: str, found: yaml.SequenceNode, at: int) -> tuple[int, int]:
    """From the line of an entry's dash to the end of its last line."""
    dash = text.rfind("-", 0, found.value[at].start_mark.index)
    start = _line_start(text, dash)
    if text[start:dash].strip(" "):
        raise CannotEdit()
    return start, _end(text, found.value[at])


def _end(text: str, node: _Node) -> int:
    """Past the line in which a value ends; comments below it belong to what follows."""
    end = _last(node)
    if end and text[end - 1 : end] == "\n":
        return end
    return min(_line_end(text, end) + _width(text, _line_end(text, end)), len(text))


def _last(node: _Node) -> int:
    inner = node.value if isinstance(node, yaml.CollectionNode) else ()
    if not inner or getattr(node, "flow_style", False):
        return int(node.end_mark.index)
    last = inner[-1]
    return _last(last[1] if isinstance(last, tuple) else last)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    end = len(text) if found < 0 else found
    return end - 1 if text[end - 1 : end] == "\r" else end


def _width(text: str, at: int) -> int:
    return 2 if text.startswith("\r\n", at) else 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _index(found: yaml.SequenceNode, item: Item) -> int:
    for at, one in enumerate(found.value):
        for key, value in one.value if isinstance(one, yaml.MappingNode) else ():
            if (key.value, value.value) == (item.key, item.value):
                return at
    raise CannotEdit()


def _is_nothing(node: _Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _node_at(text: str, path: Path) -> _Node | None:
    node: _Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for step in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == step), None)
    return node
