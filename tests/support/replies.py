"""What a reply said, out of its pieces."""

from collections.abc import Iterable

from lib.engines.base import Delta


def text_of(pieces: Iterable[Delta]) -> str:
    """The whole text, without the reasoning."""
    return "".join(piece.text for piece in pieces)
