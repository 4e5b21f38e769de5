"""What to call a model: from what its file says about itself, its repository and its file's name.

Headers are written by programs, from folders of anybody's: a name is taken only where it has a word
that the file or its repository has too. How its numbers are stored is told beside it, and no part.
"""

import re
from collections.abc import Mapping
from typing import Any

from lib.fit.storage_names import stem_of, words_of

LONGEST = 80
_SEPARATORS = re.compile(r"[-_\s]+")
_PIECES = re.compile(r"[a-z]{3,}|[a-z]+\d[a-z0-9.]*")
_SIZE = re.compile(r"(?:\d+x)?[ae]?\d+(?:\.\d+)?[bm]", re.IGNORECASE)
_AS_IT_IS = re.compile(r"v\d.*|.{1,2}")
_NOISE = re.compile(  # how it was stored, and by what
    r"(?:gguf|ggml|awq|gptq|exl2|hf|bnb|imatrix|quantized|[if]p?\d{1,2}|bf16|int\d)", re.IGNORECASE
)


def of_file(values: Mapping[str, Any], path: str, source: str = "") -> str:
    """`Qwen2.5 Coder 0.5B Instruct`; "" where there is nothing better than the file's own name.

    `values` are its header's, `path` is the file's, `source` the repository's name, where it is of
    one.
    """
    stem = stem_of(path)
    parts = [values.get(f"general.{part}") for part in ("basename", "size_label", "finetune")]
    told = (values.get("general.name"), " ".join(p for p in parts if isinstance(p, str)))
    repository = source.rpartition("/")[2] if source.count("/") == 1 else ""
    known = _pieces(f"{stem} {repository}")
    names = (tidy(name) for name in told if isinstance(name, str))
    found = next((name for name in names if " " in name and _pieces(name) & known), "")
    return found or of_name(repository) or of_name(stem)


def of_name(name: str) -> str:
    """A repository's or file's name as one would say it; "" where it is a single word."""
    said = tidy(name)
    return said if " " in said else ""


def tidy(name: str) -> str:
    """`Llama 3.2 1B Instruct`: words apart, sizes in capitals, without how it was stored."""
    text = "".join(one if one.isprintable() else " " for one in name[: 4 * LONGEST])
    for word in reversed(words_of(text)):
        text = f"{text[: word.begin]} {text[word.end :]}"
    words = [one for one in _SEPARATORS.split(text.strip()) if one]
    while len(words) > 1 and _NOISE.fullmatch(words[-1]):
        words.pop()
    text = " ".join(map(_written, words))[:LONGEST].strip(" .")
    return text[:1].upper() + text[1:]


def _written(word: str) -> str:
    if _SIZE.fullmatch(word):
        return word.upper().replace("X", "x")
    return word if _AS_IT_IS.fullmatch(word) else word[:1].upper() + word[1:]


def _pieces(text: str) -> set[str]:
    return {*_PIECES.findall(text.casefold())}
