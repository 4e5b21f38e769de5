"""Text from models and people, made safe and legible for st.markdown.

Streamlit itself shows HTML tags as text. What is left to do: images (they would be fetched from
wherever the model says), Streamlit's own `:colour[…]` and `:icon:` codes, and the two notations of
maths that models use beside dollar signs.
"""

import re
from collections.abc import Iterator

from lib.core.errors import BerthError

_CODE = re.compile(
    r"^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*"  # a fence may stand in a quote or a list
    r"(?P<fence>`{3,}(?=[^`\n]*$)|~{3,}).*?(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<![`\\])(?P<run>`+)(?!`)[^\n]*?(?<!`)(?P=run)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_IMAGE = re.compile(r"((?:\\\\)*)\\?!(?=\[)")  # an escaped mark may lose its escape
_DIRECTIVE = re.compile(r":(?=[A-Za-z][\w-]*(\[|:)|material/)")
_ICON = re.compile(r":(?=material/|streamlit:)")  # drawn even where its colon is escaped
_DISPLAY = re.compile(r"\\\[(.+?)\\\]", re.DOTALL)
_INLINE = re.compile(r"\\\((.+?)\\\)")
_MONEY = re.compile(r"(?<![\\$])\$(?=\d[\d,.]*(?:\s|[.,;:!?)]|$))(?![^$\n]*[=^_\\][^$\n]*\$)")
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
    return "".join(part if is_code else _tamed(part) for part, is_code in parts)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and of each whether it is code."""
    end = 0
    for found in _CODE.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def _tamed(text: str) -> str:
    text = _IMAGE.sub(r"\1&#33;", text)  # an entity is never the mark of an image: a link remains
    text = _MONEY.sub(r"\\$", text)
    text = _DISPLAY.sub(r"$$\1$$", text)
    text = _INLINE.sub(r"$\1$", text)
    text = _ICON.sub(":\u2060", text)
    return _DIRECTIVE.sub(r"\:", text)


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
