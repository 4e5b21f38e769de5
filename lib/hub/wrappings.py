"""What stands around a name or an address where it was copied: quotes, a sentence, a prompt."""

import re
from collections.abc import Iterator

_PAIRS = {
    **dict(zip("\"'`", "\"'`", strict=True)),
    **dict(zip("“‘«<([", "”’»>)]", strict=True)),
}
_CLOSING = {closing: opening for opening, closing in _PAIRS.items()}
_MARKS = ".,;:!?"
_ITEM = re.compile(r"^(?:[-*•+]|\d{1,2}[.)])\s+")  # of a list
_LABEL = re.compile(r"^(?:[A-Za-z][A-Za-z _-]{1,20})\s*[:=]\s*(?=\S*/)(?!//)")  # Model: acme/Anvil
_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\]\[)(“”]+", re.IGNORECASE)
# In front of a command: `$`, `user@host:~$`, `(venv) C:\Users\me>`, `PS C:\>`, `!` of a notebook.
_PROMPT = re.compile(r"\s*(?:(?:\([\w .-]+\)\s*)?(?:PS\s)?[^\s|&;\"'`<]*[>$%#❯➜]\s+|!\s*(?=\w))")
_FENCE = re.compile(r"\s*(?:```|~~~)[\w-]*\s*")


def bare(text: str) -> str:
    """The same without what encloses it, and without the marks of a sentence behind it."""
    while True:
        before, text = text, text.strip().rstrip(_MARKS)
        text = text.removeprefix("**").removesuffix("**")
        text = _LABEL.sub("", _ITEM.sub("", text, count=1), count=1)
        first, last = text[:1], text[-1:]
        if len(text) > 1 and _PAIRS.get(first) == last:
            text = text[1:-1]
        elif last in _CLOSING and _CLOSING[last] not in text[:-1]:
            text = text[:-1]
        if text == before:
            return text


def addresses(text: str) -> Iterator[str]:
    """The web addresses in a text of more than that."""
    for match in _ADDRESS.finditer(text):
        yield match[0].rstrip(_MARKS)


def is_wrapped(text: str) -> bool:
    """Is there more than an address?"""
    return _ADDRESS.fullmatch(text) is None


def without_prompt(line: str) -> str:
    """A line of a terminal as it was typed."""
    return _PROMPT.sub("", line, count=1) if _PROMPT.match(line) else line


def is_fence(line: str) -> bool:
    """Does it begin or end a block of code?"""
    return _FENCE.fullmatch(line) is not None
