"""What a GGUF file on the Hub says about itself, read from its first megabytes."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.fit import gguf, gguf_jumps
from lib.fit.file_names import Variant
from lib.fit.gguf_jumps import NoWay, read_with_jumps
from lib.hub import cache
from lib.hub.cards import Card, RepoFile
from lib.hub.pieces import Pieces

FIRST_OF_LATER_PARTS = 64 * 2**10  # bytes: a later part has tensor infos alone, and no vocabulary
AT_ONCE = 8


def header(card: Card, variant: Variant) -> gguf.Header:
    """The header of one of the card's variants, all parts of a divided one taken together.

    Of a long one most of the vocabulary is passed over. Where that cannot be done it is read whole:
    8 MiB, then twice as much, up to the longest header there may be; a server that knows no ranges
    is read from the beginning and left when there is enough. Kept on disk, because a file of one
    checksum never changes. Errors: BrokenFile, and those of lib/hub/errors.py.
    """
    first, *later = (card.file(path) for path in variant.paths)
    head = _one(card, first, gguf_jumps.FIRST_READ)
    if not later:
        return head
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rest = pool.map(lambda file: _one(card, file, FIRST_OF_LATER_PARTS), later)
        return gguf.combined([head, *rest])


def beginning(card: Card, variant: Variant, count: int) -> bytes:
    """The first `count` bytes of the variant's (first) file."""
    return Pieces(card, card.file(variant.paths[0]), count).more(count)


def _one(card: Card, file: RepoFile, first_bytes: int) -> gguf.Header:
    """The header of one file; `first_bytes` is how much to ask for at once, to begin with."""
    name = file.sha256 or f"{card.id} {card.sha} {file.path}"
    question = f"header {name}"
    kept = cache.read(question)
    if kept:
        try:
            return gguf.Header.model_validate_json(kept.text)
        except ValidationError:
            pass  # written by another version, or broken
    found = _fetched(card, file, first_bytes)
    cache.write(question, found.model_dump_json())
    return found


def _fetched(card: Card, file: RepoFile, first_bytes: int) -> gguf.Header:
    found = _read(Pieces(card, file, first_bytes, gguf.FIRST_READ), file)
    if found.file_bytes > file.bytes:
        raise BrokenFile(
            f"“{shown(file.path)}” is cut short on the Hub: it has {file.bytes:,} bytes, its header"
            f" asks for {found.file_bytes:,}.",
            "Choose another file, or another repository of this model.",
        )
    return found


def _read(source: Pieces, file: RepoFile) -> gguf.Header:
    """With jumps where the server and the file let us; else from the beginning to the end."""
    begun, name = source.more(gguf_jumps.FIRST_READ), f"“{shown(file.path)}”"
    if source.has_ranges:
        with contextlib.suppress(NoWay):
            return read_with_jumps(begun, source.piece, file.bytes, name)

    def more(count: int) -> bytes:
        nonlocal begun
        there, begun = begun, b""
        return there or source.more(max(count, gguf.FIRST_READ))

    return gguf.read_header(more, name)
