r"""Patterns as the built-in engine has to get them: over the text of the JSON, not over its value.

Its converter puts a pattern between two quotation marks as it is. So a `.` would match the mark
that ends the text, and `\n` a line break that no JSON has: here each is written with its escape.
A letter beyond ASCII that stands outside a class would be taken apart into bytes.
"""

from lib.chat.schemas.patterns import (
    HIGHEST,
    Chain,
    Chars,
    Choice,
    Edge,
    Node,
    Ranges,
    Repeat,
    joined,
    length,
    negated,
    parsed,
)

LONGEST = 20_000  # characters of one pattern; the engine makes a rule of each repeated part
MOST_TIMES = 1_999  # more is refused by the engine

_UNSAFE = joined(((0, 31), (34, 34), (92, 92)))
_SAFE = negated(_UNSAFE)
_SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 92: "\\"}
_LITERAL = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-/:,;@#%&=~!<>'`"
)
_SPECIAL = frozenset(".+*?()[]{}|^$")
_IN_CLASS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .,:;/@+*?()="
)


def written(pattern: str, least: int = 0, most: int | None = None) -> str | None:
    """The pattern for texts of `least` to `most` characters, or None where it cannot be put so."""
    node = parsed(pattern)
    fitting = _fitted(node, least, most) if node else None
    if fitting is None or _is_too_much(fitting):
        return None
    try:
        made = f"^{_text(fitting, is_top=True)}$"
    except ValueError:
        return None
    return made if len(made) <= LONGEST else None


def _fitted(node: Node, least: int, most: int | None) -> Node | None:
    """The same within these bounds: by itself, or as one thing that is repeated."""
    low, high = length(node)
    if low >= least and (most is None or (high is not None and high <= most)):
        return node
    inner = node.parts[0] if isinstance(node, Chain) and len(node.parts) == 1 else node
    if not isinstance(inner, Repeat) or length(inner.part) != (1, 1):
        return None
    bounds = [bound for bound in (most, inner.most) if bound is not None]
    lower, upper = max(least, inner.least), min(bounds, default=None)
    return None if upper is not None and upper < lower else Repeat(inner.part, lower, upper)


def _is_too_much(node: Node) -> bool:
    match node:
        case Repeat(part, least, most):
            return max(least, most or 0) > MOST_TIMES or _is_too_much(part)
        case Chain(parts):
            return any(map(_is_too_much, parts))
        case Choice(options):
            return any(map(_is_too_much, options))
    return False


def _text(node: Node, is_top: bool = False) -> str:
    """ValueError where no text of a JSON can be like this."""
    match node:
        case Chars(ranges):
            return _chars(ranges)
        case Chain(parts):
            return "".join(map(_text, parts))
        case Choice(options):
            made = "|".join(map(_text, options))
            return made if is_top else f"({made})"
        case Repeat(part, least, most):
            return _repeated(part, least, most)
        case Edge():
            raise ValueError("An edge within a text.")


def _repeated(part: Node, least: int, most: int | None) -> str:
    if most == 0:
        return ""
    text = _text(part)
    is_class = isinstance(part, Chars) and text[0] == "[" and text.find("]") == len(text) - 1
    is_one = len(text) == 1 or is_class or (isinstance(part, Chars | Choice) and text[0] == "(")
    return (text if is_one else f"({text})") + _times(least, most)


def _times(least: int, most: int | None) -> str:
    usual = {(0, None): "*", (1, None): "+", (0, 1): "?", (1, 1): ""}
    if (least, most) in usual:
        return usual[least, most]
    if most is None:
        return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _chars(ranges: Ranges) -> str:
    safe = _common(ranges, _SAFE)
    escaped = [code for code in _SHORT if any(low <= code <= high for low, high in ranges)]
    options = []
    if safe:
        options.append(_class(safe))
    if escaped:
        options.append("\\\\" + _class(joined([(ord(_SHORT[c]), ord(_SHORT[c])) for c in escaped])))
    if not options and ranges:
        options.append(f"\\\\u{ranges[0][0]:04x}")
    if not options:
        raise ValueError("No character at all.")
    return options[0] if len(options) == 1 else f"({'|'.join(options)})"


def _common(some: Ranges, others: Ranges) -> Ranges:
    return negated(joined((*negated(some), *negated(others))))


def _class(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _single(ranges[0][0])
    return "[" + "".join(_span(low, min(high, HIGHEST)) for low, high in ranges) + "]"


def _single(code: int) -> str:
    char = chr(code)
    if char in _LITERAL:
        return char
    return f"\\{char}" if char in _SPECIAL else f"[{_named(code)}]"


def _span(low: int, high: int) -> str:
    return _named(low) if low == high else f"{_named(low)}-{_named(high)}"


def _named(code: int) -> str:
    if chr(code) in _IN_CLASS:
        return chr(code)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
