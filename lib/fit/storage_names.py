"""What the name of one GGUF file tells about how its numbers are stored."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from lib.fit.quantizations import BITS_PER_WEIGHT, MARK

GGUF = ".gguf"

# A word that tells how numbers are stored, as a whole: Q4_K_M, q4-k-m, IQ4_KS, q4, bf16, int8. A
# short one before other words or a year is the model's own: Brook-F16-tuned-9B, Brook-Q3-2025.
_WORD = re.compile(
    r"""(?<![A-Z0-9])(?:
        (?:[IT]?Q\d(?=_) | (?:MX|NV)FP\d)(?:_[A-Z0-9]+)*
        | Q\d([-.])K(?:\1(?:XS|S|M|L|XL))? | IQ\d[-.](?:XXS|XS|S|M|NL) | T?Q\d[-.][01](?![-.]\d)
        | (?<=mmproj[-_.])(?:BF16|FP?(?:16|32))
        | (?:[IT]?Q\d | BF16 | FP?(?:16|32) | FP8 | INT\d)(?:_[A-Z0-9]+)*
            (?![-. ]+(?:(?!(?:[IT]?Q|BF|FP?|MX|NV|INT)\d
                |(?:moe|im|imat\w*|gguf|v\d+|pure|model|weights|fix\w*|final|emb\w*|out\w*)\b)
                [A-Z]{2,}|\d{4}(?!\d)))
    )(?![A-Z0-9]|_[A-Z0-9])(?![-_. ]?unquanti[sz]ed)""",
    re.IGNORECASE | re.VERBOSE,
)
# What tells it loosely, where no such word does: 4bit, 4.25bpw, w4a16.
_LOOSE_WORD = re.compile(
    r"(?<![A-Za-z0-9.])(?:\d+(?:\.\d+)?-?(?:bpw|bits?)|w\da\d+)(?![A-Za-z0-9])", re.IGNORECASE
)
# In front of a word that tells how a part of the model is stored: Q8_0-embed-f16.
_OF_A_PART = re.compile(
    r"(?<![a-z])(?:emb(?:d|ed\w*)?|out(?:put)?|(?:lm_)?head)[-_.]?$", re.IGNORECASE
)
_MARKS = re.compile(
    r"(?<![A-Za-z0-9])(?P<mixture>UD[-_.])?(?:(?:i1|imat|imatrix)[-_.])?$", re.IGNORECASE
)
_HARMLESS = re.compile(  # behind a quantization
    r"moe|im|imat|imatrix|gguf|v\d+|fix(?:ed)?|final|new|old|updated?|re(?:do|upload|v\d+)",
    re.IGNORECASE,
)
_ALSO = {"FP16": "F16", "FP32": "F32"}
_UNQUANTIZED = ("F32", "F16", "BF16")
PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})", re.IGNORECASE)
# Where the name of a model ends, mostly: its size, its kind, its version.
_END = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:\d+x)?\d+(?:\.\d+)?[BbMm]|[AE]\d+(?:\.\d+)?[Bb]|it|instruct|chat|base"
    r"|thinking|reasoning|\d+k|v\d+(?:\.\d+)*|\d{4})(?![A-Za-z0-9])[-_. ]*",
    re.IGNORECASE,
)
LONGEST_MARKS = 16


class Word(NamedTuple):
    """A word about storage in a name: what it means, and from where to where it goes."""

    quantization: str  # "" for an unknown one
    begin: int  # with the marks before it
    end: int


@lru_cache(maxsize=4_096)
def quantization_of(path: str) -> str:
    """The known quantization that a file's path names, `""` where none.

    It is read as a whole word (`AVQ2` names none, `Q4_K_P` is no `Q4_K`), from the file's name
    before its folders'. What a name says last counts.
    """
    for part in reversed(path.split("/")):
        words = words_of(part)
        if words:
            return _meant(part, words)
    return ""


@lru_cache(maxsize=4_096)
def words_of(text: str) -> tuple[Word, ...]:
    """The words about storage in a name, in order."""
    found = tuple(_word(text, match) for match in _WORD.finditer(text))
    return found or tuple(Word("", *match.span()) for match in _LOOSE_WORD.finditer(text))


def _word(text: str, match: re.Match[str]) -> Word:
    known = _known(match[0])
    marks = _MARKS.search(text, max(0, match.start() - LONGEST_MARKS), match.start())
    is_mixture = bool(known and marks and marks["mixture"])
    begin = marks.start() if marks else match.start()
    return Word(f"{MARK}{known}" if is_mixture else known, begin, match.end())


def plain(word: str) -> str:
    """As the table writes it."""
    return re.sub(r"[-.]", "_", word.upper())


@lru_cache(maxsize=1_024)
def _known(word: str) -> str:
    """The quantization that a whole word means: itself, or with something harmless behind it."""
    parts = plain(word).split("_")
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        name = _ALSO.get(name, name)
        if name in BITS_PER_WEIGHT:
            is_whole = count == len(parts) or _HARMLESS.fullmatch(parts[count])
            return name if is_whole else ""
    return ""


def _meant(text: str, words: Sequence[Word]) -> str:
    """Of several the last; `Q4_K_M-f16` and `Q8_0-out-f16` tell of a part behind themselves."""
    first, *others = words
    of_all = (word for word in others if not _OF_A_PART.search(text, 0, word.begin))
    *before, last = (first, *of_all)
    is_addition = before and last.quantization in _UNQUANTIZED and before[-1].quantization
    is_beside = bool(before) and last.begin - before[-1].end <= 1
    return before[-1].quantization if is_addition and is_beside else last.quantization


@lru_cache(maxsize=4_096)
def stem_of(path: str) -> str:
    """A file's name without its ending and the number of its part."""
    stem = path.rpartition("/")[2]
    stem = stem[: -len(GGUF)] if stem.lower().endswith(GGUF) else stem
    match = PART.fullmatch(stem)
    return match["stem"] if match else stem


@lru_cache(maxsize=4_096)
def storage_of(path: str) -> str:
    """What a file's name says behind the model's: `UD-Q4_K_XL`, `i1-Q4_K_M`, `APEX-I-Compact`.

    Its folder's where the file's says nothing; all of the name where nothing tells where the
    model's ends.
    """
    stem, *folders = stem_of(path), *reversed(path.split("/")[:-1])
    for part in (stem, *folders):
        words = words_of(part)
        if words:
            known = [word for word in words if word.quantization]
            return part[(known or words)[0].begin :]
    ends = [match.end() for match in _END.finditer(stem)]
    return stem[ends[-1] :] if ends and ends[-1] < len(stem) else stem
