"""Which dollars in a prose begin and end a formula, and which are money, variables or just a sign.

The browser's side of it is elements/formulas.js: both hold to the same table of cases.
"""

import re
from collections.abc import Iterator

_START = re.compile(
    r"(?<![\\$])\$\$(?P<display>(?:[^$\\]|\\[^$])+?)\$\$(?!\$)"
    r"|\\\[(?P<square>.+?)\\\](?!\()"
    r"|\\\((?P<round>.+?)\\\)"
    r"|(?<![\\$A-Za-z0-9_])\$(?P<inline>[^$\n`]+)(?<!\\)\$(?!\$)"
    r"|^(?P<lead>[ \t>]*)\$\$(?P<open>[^$\n]*)\n(?P<rest>[^$]*)\Z",  # its end is still to come
    re.DOTALL | re.MULTILINE,
)
_NO_START = re.compile(r"[\s?!@#:;,)\]}'\"&%]|\.(?!\d)")
_NO_END = re.compile(r"[\s(\[{]$|\"")
_NO_MORE = re.compile(r"(?!(?:th|st|nd|rd|s)\b)[A-Za-z0-9_{]")  # `$n$th` is none of a variable
_MONEY = re.compile(r"[-+]?[.\d]")
_NUMBER = re.compile(r"[-+]?[\d.,]+%?$")
_COMMAND = re.compile(r"\\[A-Za-z]+|\{[^{}]*\}")
_NAME = re.compile(r"sin|cos|tan|log|ln|exp|lim|max|min|mod|gcd|det")
_WORD = re.compile(r"[A-Za-z]{2,}")
_SIGN = re.compile(r"[=^_\\+*/<>|{}\-]")
_PLAIN_SUM = re.compile(r"[=^_\\+*/<>\-]|\d[A-Za-z]\b")


def split(text: str, in_table: bool = False) -> Iterator[tuple[str, str]]:
    """The text in pieces: `("", prose)`, `("inline", formula)` or `("display", formula)`."""
    begun = at = 0
    while found := _START.search(text, at):
        kind = _kind(found, text, in_table)
        if not kind:
            at = found.start() + 1
            continue
        yield "", text[begun : found.start()] + (found["lead"] or "")
        yield kind, _inside(found)
        begun = at = found.end()
    yield "", text[begun:]


def _inside(found: re.Match[str]) -> str:
    if found["open"] is not None:
        return f"{found['open']}\n{found['rest']}"
    return next(part for part in found.groups() if part is not None)


def _kind(found: re.Match[str], text: str, in_table: bool) -> str:
    if found["round"] is not None:
        return "" if "\n" in found["round"] else "inline"
    if found["square"] is not None:
        return "display"
    if found["open"] is not None:
        return "open" if not found["open"].strip() or _SIGN.search(found["open"]) else ""
    if found["display"] is not None:
        is_own_line = not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip(" \t>")
        inside = found["display"]
        is_meant = is_own_line or inside == inside.strip() or _SIGN.search(inside)
        return "display" if is_meant and _is_formula(inside.strip(), "") else ""
    inside, after = found["inline"], text[found.end() : found.end() + 3]
    return "inline" if _is_formula(inside, after) and not (in_table and "|" in inside) else ""


def _is_formula(inside: str, after: str) -> bool:
    """Can this stand between two dollars, with `after` behind them?"""
    if not inside or _NO_START.match(inside) or _NO_END.search(inside) or "\\$" in inside:
        return False
    if _NO_MORE.match(after) or (inside[0] == "(" and after[:1] == "("):
        return False
    if _NUMBER.match(inside):
        return True
    words = _WORD.findall(_NAME.sub("", _COMMAND.sub("", inside)))
    if _MONEY.match(inside):
        return not words and bool(_PLAIN_SUM.search(inside))
    return not words or " " not in inside or bool(_SIGN.search(inside))
