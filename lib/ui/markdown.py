"""Text from models and people, made safe and legible for st.markdown.

Streamlit itself shows HTML tags as text. What is left to do: images (they would be fetched from
wherever the model says), what Streamlit reads beyond Markdown (colours, icons, emoji codes, single
tildes, arrows), dollars that are no formulas, and the notations of maths beside dollar signs.
"""

import re
from collections.abc import Iterator

from lib.core.errors import BerthError
from lib.ui import formulas

_CODE = re.compile(
    r"^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*"  # a fence may stand in a quote or a list
    r"(?P<fence>`{3,}(?=[^`\n]*$)|~{3,}).*?(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<![`\\])(?P<run>`+)(?!`)[^\n]*?(?<!`)(?P=run)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_IMAGE = re.compile(r"((?:\\\\)*)\\?!(?=\[)")  # an escaped mark may lose its escape
JOINER = "\u2060"  # nobody sees it; a sign that it stands in is none of Streamlit's
_MATHS = {"inline": "${}$", "display": "$${}$$", "open": "$${}"}
_LINK = re.compile(r"(<[A-Za-z][\w+.-]*:[^<>\s]*>|https?://[^\s<]+|\bwww\.[^\s<]+)")
_ICON = re.compile(r"\\?:(?=material/|streamlit:)|(?<!\w)\\?:(?=[+-]?\w[\w+-]*:)")
_DIRECTIVE = re.compile(r"\\?:(?=[A-Za-z])|^:(?=::)", re.MULTILINE)
_DOLLAR = re.compile(r"(?<!\\)\$")
_TILDE = re.compile(r"(?<![~\\])~(?!~)")
_NOTE = re.compile(r"(?<!\\)\[(?=\^)")  # a footnote would be moved below the rest
_ARROW = re.compile(r"(?<!\S)(?:--|<?->|<-|[<>]=|!=|~=)(?!\S)")  # would become another sign
_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
_ROW = re.compile(r"[ \t>]*\|")
_RULE = re.compile(r"[ \t|:-]*$")
_DEEP = re.compile(  # what would nest so deeply that it brings a browser down
    r"^[ \t]*(?:>[ \t]?|(?:[-*+]|\d{1,9}[.)])[ \t]+){25}"  # quotes and lists in one line
    r"|^[ \t]{100,}(?:[-*+>]|\d{1,9}[.)])[ \t]"  # a list further and further in
    r"|(?:\[[^\[\]]*){50}"  # brackets
    r"|(?:[*_]{1,3}[^\s*_]){200}",  # emphasis
    re.MULTILINE,
)
_PLAIN_NAME = re.compile(r"\w[\w.-]*")
_BACKTICKS = re.compile(r"`{3,}")
_ADDRESS = re.compile(r"(https?://[\w./-]+)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:])")


def label(name: str) -> str:
    """A name on a button, which reads Markdown too; one that means nothing in it stays as it is."""
    return name if _PLAIN_NAME.fullmatch(name) else plain(name)


def safe(text: str) -> str:
    """A model's Markdown with nothing in it that fetches, colours or mis-sets; code stays as is."""
    parts = list(_parts(text))
    if any(_DEEP.search(part) for part, is_code in parts if not is_code):
        return _as_code(text)
    tamed, line = [], ""  # what the present line has before this part
    for part, is_code in parts:
        tamed.append(part if is_code else _tamed(part, line))
        line = part.rpartition("\n")[2] if "\n" in part else line + part
    return "".join(tamed)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and of each whether it is code."""
    end = 0
    for found in _CODE.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def _tamed(text: str, before: str) -> str:
    """A piece without code; `before` is what its first line begins with."""
    text = _IMAGE.sub(r"\1&#33;", text)  # an entity is never the mark of an image: a link remains
    in_table = bool(_ROW.match(before + text))
    drawn = []
    for kind, piece in formulas.split(text, in_table):
        drawn.append(_MATHS[kind].format(piece) if kind else _prose(piece, before))
        before = (before + piece).rpartition("\n")[2]
    return "".join(drawn)


def _prose(text: str, before: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        _line(line, is_row=bool(_ROW.match(line if number else before + line)))
        for number, line in enumerate(lines)
    )


def _line(line: str, is_row: bool) -> str:
    """One line, its addresses as they are."""
    if is_row:
        line = _BREAK.sub("&#10;", line)  # a line end that ends no cell; the style sheet draws it
    if _RULE.match(line):
        return line
    parts = enumerate(_LINK.split(line))
    return "".join(part if number % 2 else _literal(part) for number, part in parts)


def _literal(text: str) -> str:
    """Without what Streamlit reads beyond Markdown: money, tildes, colours, icons, arrows."""
    text = _DOLLAR.sub(r"\\$", text)
    text = _ARROW.sub(f"\\g<0>{JOINER}", text)
    text = _TILDE.sub(r"\\~", text)
    text = _NOTE.sub(r"\\[", text)
    text = _ICON.sub(f":{JOINER}", text)
    return _DIRECTIVE.sub("&#58;", text)


def _as_code(text: str) -> str:
    """As it was written, in a fence that nothing in it can close."""
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(text)), default=2) + 1)
    return f"{fence}\n{text}\n{fence}\n"


def plain(text: str) -> str:
    """A name or a line of a log, letter for letter."""
    return _SPECIAL.sub(r"\\\1", text)


def error(told: BerthError) -> str:
    """Message and remedy, letter for letter: both quote files, programs and other machines.

    An address in the remedy can be opened.
    """
    parts = enumerate(_ADDRESS.split(told.fix))
    fix = "".join(part if number % 2 else plain(part) for number, part in parts)
    return f"**{plain(told.message)}** {fix}".strip()
