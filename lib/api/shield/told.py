"""What a request loses on its way to an engine, and how its client is told: in headers, by name."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

MOST_NAMED = 24
LONGEST_NAME = 80
MOST_NOTES = 4
_ODD = re.compile(r"[^A-Za-z0-9_.\[\]:/-]+")
_UNSPEAKABLE = re.compile(r"[^\x20-\x7e]+")


class Told:
    """Names of what was left out, and sentences about what an engine does otherwise."""

    def __init__(self) -> None:
        self.ignored: dict[str, None] = {}  # in the order in which they were found, each once
        self.notes: dict[str, None] = {}

    def ignore(self, names: Iterable[str]) -> None:
        """These do not reach the engine."""
        self.ignored.update(dict.fromkeys(names))

    def note(self, sentence: str) -> None:
        """The engine does this otherwise than its client may think."""
        self.notes[sentence] = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`Berth-Ignored` and `Berth-Note`; whatever stood in a name, a header cannot be forged."""
        found = []
        if self.ignored:
            found.append((b"berth-ignored", _named(list(self.ignored)).encode("ascii")))
        for note in list(self.notes)[:MOST_NOTES]:
            found.append((b"berth-note", _UNSPEAKABLE.sub("?", note)[:200].encode("ascii")))
        return found


def _named(names: list[str]) -> str:
    shown = [_ODD.sub("?", name[: LONGEST_NAME + 1])[:LONGEST_NAME] or "?" for name in names]
    more = len(names) - MOST_NAMED
    return ", ".join(shown[:MOST_NAMED] + ([f"and {more} more"] if more > 0 else []))


def left_out(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where `before` has names that `after` has not: `user`, `messages[].foo`.

    What both share is the same object and is not looked into.
    """
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            here = f"{path}.{name[:LONGEST_NAME]}" if path else name[:LONGEST_NAME]
            if name not in after:
                yield here
            else:
                yield from left_out(value, after[name], here)
    elif isinstance(before, list) and isinstance(after, list):
        if len(after) < len(before):  # which ones went, nobody can tell by their places
            yield f"{path}[]"
            return
        pairs = zip(before, after, strict=False)
        for one, other in (pair for pair in pairs if isinstance(pair[0], dict | list)):
            yield from left_out(one, other, f"{path}[]")
