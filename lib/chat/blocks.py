"""Cuts a growing Markdown text into blocks that can be drawn once and never again.

A block is closed where Markdown itself closes it: after a blank line, a heading, a fence. Inside
a fence, display maths or a list that goes on, a blank line closes nothing. Joined, the blocks are
the text, letter for letter, however it was cut into pieces when it came.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

GROUP_CHARACTERS = 1_200
MOST_GROUPS = 64  # elements of one text; a very long one has larger groups
MOST_PARTS = 64
JSON_FENCE = "```json\n"

_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}#{1,6}(\s|$)")
_ITEM = re.compile(r"\s*([-*+]|\d{1,9}[.)])\s")
_MAYBE_ITEM = re.compile(r"\s*([-*+]|\d{0,9}[.)]?)$")
_INDENTED = re.compile(r"(\t| {2,})\s*\S")


_RICH = re.compile(
    r"^[ \t]*(?:(?:[-*+>]|\d{1,9}[.)])[ \t]+)*(?:`{3,}|~{3,})"  # code, perhaps in a list or a quote
    r"|\A(?: {4}|\t)[ \t]*\S"  # code that is only set in
    r"|\$\$|\$[^$\n]+\$|\\\(|\\\["  # maths
    r"|<[a-zA-Z/!?]|&(?:\w+|#\w+);"  # what may be HTML, and an entity
    r"|^ {0,3}\[[^\]\n]+\]:|\]\[|\[\^"  # a link whose address stands elsewhere, a footnote
    r"|^[^\n]*\S[^\n]*\n {0,3}(?:=+|-+)[ \t]*$",  # a heading with a line below it
    re.MULTILINE,
)


class Part(NamedTuple):
    """Neighbouring blocks of a text, by their numbers: all of them rich or none."""

    first: int
    last: int
    is_rich: bool


class Splitter:
    """Takes text in pieces and hands out `(block number, text)`, each letter once and in order."""

    def __init__(self) -> None:
        self.number = 0
        self._held = ""  # the start of a line that may begin a new block
        self._line = ""  # what has been handed out of the present line
        self._at_start = False  # is the present line the first after something that closed?
        self._is_empty = True  # has this block no text yet?
        self._is_list = False
        self._fence = ""  # the marker that will close the open fence, or "$$" or "\\["

    def feed(self, text: str) -> list[tuple[int, str]]:
        """The pieces that can be drawn now."""
        pieces = [piece for line in text.splitlines(keepends=True) for piece in self._take(line)]
        return list(_joined(pieces))

    def finish(self) -> list[tuple[int, str]]:
        """What was still held back when the text ended."""
        held, self._held = self._held, ""
        return [(self.number, held)] if held else []

    def _take(self, text: str) -> Iterator[tuple[int, str]]:
        """A piece of one line, with its newline if it is the end of it."""
        if self._at_start:
            text, self._held = self._held + text, ""
            if self._is_undecided(text):
                self._held = text
                return
            if text.strip():
                self._begin(text)
        self._line += text
        yield self.number, text
        if text.endswith(("\n", "\r")):
            self._end_line()

    def _is_undecided(self, text: str) -> bool:
        if text.endswith(("\n", "\r")):
            return False
        return not text.strip() or (self._is_list and bool(_MAYBE_ITEM.fullmatch(text)))

    def _begin(self, text: str) -> None:
        """The first letters after a gap: a new block, unless they go on with a list."""
        self._at_start = False
        goes_on = self._is_list and (_ITEM.match(text) or _INDENTED.match(text))
        if not goes_on and not self._is_empty:
            self.number += 1
            self._is_empty, self._is_list = True, False

    def _end_line(self) -> None:
        line, self._line = self._line.rstrip("\r\n"), ""
        if self._fence:
            self._close_fence(line)
            return
        if not line.strip():
            self._at_start = True
            return
        self._is_list = self._is_list or (self._is_empty and bool(_ITEM.match(line + " ")))
        self._is_empty = False
        self._open_fence(line)
        if _HEADING.match(line) and not self._is_list:
            self._at_start = True

    def _open_fence(self, line: str) -> None:
        found, bare = _FENCE.match(line), line.strip()
        if found and "`" not in found[2]:
            self._fence = found[1]
        elif bare.startswith("$$") and bare.count("$$") % 2:
            self._fence = "$$"
        elif bare.startswith("\\[") and "\\]" not in bare:
            self._fence = "\\]"

    def _close_fence(self, line: str) -> None:
        bare = line.strip()
        if self._fence[0] in "`~":
            is_closed = bare.startswith(self._fence) and not bare.strip(self._fence[0])
        else:
            is_closed = bare.endswith(self._fence)
        if is_closed:
            self._fence, self._at_start = "", not self._is_list


def as_json(text: str) -> str:
    """A JSON text, or the beginning of one, as code to its end, unless it begins a fence itself."""
    return text if not text or text.lstrip().startswith("`") else JSON_FENCE + text


def _joined(pieces: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Neighbouring pieces of one block as one piece."""
    number, text = -1, ""
    for next_number, next_text in pieces:
        if next_number != number and text:
            yield number, text
            text = ""
        number, text = next_number, text + next_text
    if text:
        yield number, text


def split(text: str) -> list[str]:
    """All blocks of a finished text."""
    splitter = Splitter()
    blocks: list[str] = []
    for number, piece in [*splitter.feed(text), *splitter.finish()]:
        if number == len(blocks):
            blocks.append("")
        blocks[number] += piece
    return blocks


def groups(blocks: Sequence[str], least: int = GROUP_CHARACTERS) -> list[tuple[int, str]]:
    """Blocks joined into elements of some `least` characters: `(number of the last block, text)`.

    One element of 56 kB freezes the browser for 0.3 s, one per block costs a message each.
    """
    size = max(least, sum(map(len, blocks)) // MOST_GROUPS)
    found: list[tuple[int, str]] = []
    text = ""
    last = -1
    for last, block in enumerate(blocks):
        text += block
        if len(text) >= size:
            found.append((last, text))
            text = ""
    if text:
        found.append((last, text))
    return found


def is_rich(block: str) -> bool:
    """Has it code, maths, or anything else that is drawn better from the whole text?"""
    return bool(_RICH.search(block))


def parts(blocks: Sequence[str]) -> list[Part]:
    """Plain blocks in one piece, each rich one alone; of a text with too many, one rich part."""
    found: list[Part] = []
    for number, block in enumerate(blocks):
        rich, before = is_rich(block), found[-1] if found else None
        if before and not rich and not before.is_rich:
            found[-1] = before._replace(last=number)
        else:
            found.append(Part(number, number, rich))
    return found if len(found) <= MOST_PARTS else [Part(0, len(blocks) - 1, is_rich=True)]
