"""What a file of the Hub is called in Ollama, so that it means exactly this file.

Ollama asks the Hub for `hf.co/organisation/name:tag`. The tag is a quantization, which the Hub
looks for in the names of the files, or a whole file name; it knows neither folders nor revisions.
"""

import re

from lib.core.names import slug
from lib.fit.file_names import Variant
from lib.fit.kinds import Kind
from lib.fit.storage_names import quantization_of
from lib.hub import Card, Contents

LONGEST_TAG = 80
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")


def pull_name(card: Card, contents: Contents, variant: Variant) -> str:
    """The name by which Ollama pulls this file and no other; "" where there is none."""
    tag = _tag(contents, variant)
    return f"hf.co/{card.id}:{tag}" if tag and _has_a_name(card) else ""


def own_name(card: Card, contents: Contents, variant: Variant, *, is_main: bool) -> str:
    """The name to hand the file over by, where Ollama does not pull it."""
    tag = _tag(contents, variant) or slug(variant.stem)[:LONGEST_TAG]
    if not is_main:
        tag = f"{tag[: LONGEST_TAG - 9]}-{card.sha[:8]}"
    if _has_a_name(card):
        return f"hf.co/{card.id}:{tag}"
    return f"{slug(variant.stem).lower()[:LONGEST_TAG]}:{card.sha[:8]}"


def _has_a_name(card: Card) -> bool:
    """Ollama takes no owner with a dot in it."""
    return _OWNER.fullmatch(card.id.partition("/")[0]) is not None


def _tag(contents: Contents, variant: Variant) -> str:
    """Its quantization where its name says that and no other's does, else its file's name.

    "" where that is none for Ollama either.
    """
    wanted = variant.quantization
    models = (path for one in contents.models if one != variant for path in one.paths)
    beside = (path for path, kind in contents.beside.items() if kind != Kind.PROJECTOR)
    is_meant = variant.is_known and _says(variant.first, wanted)
    others = (*models, *beside) if is_meant else ()
    if is_meant and not any(
        _says(path, wanted) or quantization_of(path) == wanted for path in others
    ):
        return wanted
    is_plain = _TAG.fullmatch(variant.first) is not None
    return variant.first if is_plain and not variant.is_divided else ""


def _says(path: str, quantization: str) -> bool:
    """May the Hub find it there? It looks for the very letters, in whatever case.

    Not in `q4-k-m` or `fp16`, which we can read; in `Q4_K_M-pure` and `UD-Q4_K_M` perhaps.
    """
    word = rf"(?<![A-Za-z0-9]){re.escape(quantization)}(?![A-Za-z0-9_])"
    return re.search(word, path, re.IGNORECASE) is not None
