"""What the names of GGUF files tell: quantization, parts, which files are one model, and a name
for each that nothing beside it has.

A quantization is a property of a file, and no name of it: two files may have the same, and many
have one that nobody has measured. What a file is (a model, a projector, an adapter) its header
tells, see lib/fit/kinds.py; here is what to take it for until somebody has looked.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from lib.core.values import Frozen
from lib.fit.quantizations import BITS_PER_WEIGHT, MARK, quality

GGUF = ".gguf"

# A word that tells how numbers are stored, as a whole: Q4_K_M, IQ4_KS, q4, Q4_K_P, bf16, int8.
_WORD = re.compile(
    r"(?<![A-Za-z0-9])(?:[IT]?Q\d|BF16|FP?(?:16|32)|(?:MX|NV)FP\d|FP8|INT\d)"
    r"(?:_[A-Za-z0-9]+)*(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"(?<![A-Za-z0-9])(?P<mixture>UD[-_.])?(?:(?:i1|imat|imatrix)[-_.])?$", re.IGNORECASE
)
_HARMLESS = re.compile(r"moe|im|imat|imatrix|gguf|v\d+", re.IGNORECASE)  # behind a quantization
_ALSO = {"FP16": "F16", "FP32": "F32"}
_UNQUANTIZED = ("F32", "F16", "BF16")
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})", re.IGNORECASE)
# Where the name of a model ends, mostly: its size, its kind, its version.
_END = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:\d+x)?\d+(?:\.\d+)?[BbMm]|[AE]\d+(?:\.\d+)?[Bb]|it|instruct|chat|base"
    r"|thinking|reasoning|\d+k|v\d+(?:\.\d+)*|\d{4})(?![A-Za-z0-9])[-_. ]*",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"(?<![a-z])(mmproj|imatrix|lora|adapter|mtp|nextn|eagle\d?|dflash|draft(?:er)?|layers?|vocab"
    r"|vae|control[-_]?vector)(?![a-z])",
    re.IGNORECASE,
)
_PROJECTOR = re.compile(r"(?<![a-z])mmproj(?![a-z])", re.IGNORECASE)
_IMPORTANCE = re.compile(r"imatrix([-_.][a-z]+)?|.*[-_.]imatrix", re.IGNORECASE)
_PIECE = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*")
_GENERIC = re.compile(r"(?<![a-z])(mmproj|model|gguf)(?![a-z])", re.IGNORECASE)
LONGEST_MARKS = 16
SMALL = 0.5  # of the smallest model beside it: what is smaller may well be an addition to it

PROJECTORS = ("Q8_0", "F16", "BF16", "F32")  # best first: as good as any, and smallest


class Variant(Frozen):
    """One complete form of a model in a repository: a file, or all parts of a divided one."""

    quantization: str  # as its name tells it, `UD-` included; "" where that tells none we know
    paths: tuple[str, ...]  # inside the repository, in order
    bytes: int
    name: str = ""  # which no other in the repository has; "" where there is but one
    bits: float = 0.0  # per weight, for one without a known quantization; 0 where nobody counted

    @property
    def first(self) -> str:
        """The path of the file that its header stands in."""
        return self.paths[0]

    @property
    def stem(self) -> str:
        """Its file's name without the ending and the number of its part."""
        return stem_of(self.first)

    @property
    def is_divided(self) -> bool:
        """Several files, which Ollama cannot pull."""
        return len(self.paths) > 1

    @property
    def title(self) -> str:
        """What it is called and chosen by."""
        return self.name or self.quantization or self.stem

    @property
    def quality(self) -> float:
        """Bits per weight: the order of quality; 0 where nobody knows."""
        return quality(self.quantization) or self.bits

    @property
    def is_known(self) -> bool:
        """Has somebody measured how good such files are?"""
        return quality(self.quantization) > 0


class _Word(NamedTuple):
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
    for part in reversed(PurePosixPath(path).parts):
        words = _words(part)
        if words:
            return _meant(words)
    return ""


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[_Word, ...]:
    """The words about storage in a name, in order."""
    return tuple(_word(text, match) for match in _WORD.finditer(text))


def _word(text: str, match: re.Match[str]) -> _Word:
    known = _known(match[0].upper())
    marks = _MARKS.search(text, max(0, match.start() - LONGEST_MARKS), match.start())
    is_mixture = bool(known and marks and marks["mixture"])
    begin = marks.start() if marks else match.start()
    return _Word(f"{MARK}{known}" if is_mixture else known, begin, match.end())


def _known(word: str) -> str:
    """The quantization that a whole word means: itself, or with something harmless behind it."""
    parts = word.split("_")
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        name = _ALSO.get(name, name)
        if name in BITS_PER_WEIGHT:
            is_whole = count == len(parts) or _HARMLESS.fullmatch(parts[count])
            return name if is_whole else ""
    return ""


def _meant(words: Sequence[_Word]) -> str:
    """Of several the last; `Q4_K_M-f16` tells of its embeddings behind itself."""
    *before, last = words
    is_addition = before and last.quantization in _UNQUANTIZED and before[-1].quantization
    is_beside = bool(before) and last.begin - before[-1].end <= 1
    return before[-1].quantization if is_addition and is_beside else last.quantization


@lru_cache(maxsize=4_096)
def stem_of(path: str) -> str:
    """A file's name without its ending and the number of its part."""
    stem = PurePosixPath(path).name
    stem = stem[: -len(GGUF)] if stem.lower().endswith(GGUF) else stem
    match = _PART.fullmatch(stem)
    return match["stem"] if match else stem


@lru_cache(maxsize=4_096)
def storage_of(path: str) -> str:
    """What a file's name says behind the model's: `UD-Q4_K_XL`, `i1-Q4_K_M`, `APEX-I-Compact`.

    Its folder's where the file's says nothing; all of the name where nothing tells where the
    model's ends.
    """
    stem, *folders = stem_of(path), *reversed(PurePosixPath(path).parts[:-1])
    for part in (stem, *folders):
        words = _words(part)
        if words:
            known = [word for word in words if word.quantization]
            return part[(known or words)[0].begin :]
    ends = [match.end() for match in _END.finditer(stem)]
    return stem[ends[-1] :] if ends and ends[-1] < len(stem) else stem


def variants(
    files: Iterable[tuple[str, int]], is_model: Callable[[str], bool | None] = lambda path: None
) -> list[Variant]:
    """The complete models among a repository's files (path and bytes each), best first.

    `is_model` tells of a path what its header said, None for nothing; then its name decides.
    Left out are what cannot run alone, and divided models of which a part is missing.
    """
    whole = complete(files)
    return models_of(whole, presumed_beside(whole), is_model)


def models_of(
    whole: Iterable[Variant], beside: Container[str], is_model: Callable[[str], bool | None]
) -> list[Variant]:
    """The same of what is whole; `beside` are the first paths of what is taken for no model."""
    found = []
    for variant in whole:
        told = is_model(variant.first)
        if told or (told is None and variant.first not in beside):
            found.append(variant)
    return named(sorted(found, key=_order))


def _order(variant: Variant) -> tuple[float, int, tuple[str, ...]]:
    """Best first; those of unknown quality behind, the largest first."""
    return -variant.quality, 0 if variant.is_known else -variant.bytes, variant.paths


def complete(files: Iterable[tuple[str, int]]) -> list[Variant]:
    """Every GGUF file that is whole, with no thought of what it holds."""
    found = []
    for (stem, count), parts in _sets(files).items():
        if len(parts) == count and sorted(parts) == list(range(1, count + 1)):
            paths, sizes = zip(*(parts[number] for number in sorted(parts)), strict=True)
            quantization = quantization_of(stem)
            found.append(Variant(quantization=quantization, paths=paths, bytes=sum(sizes)))
    return found


def _sets(files: Iterable[tuple[str, int]]) -> dict[tuple[str, int], dict[int, tuple[str, int]]]:
    """The files by their common name and number of parts, then by the part's number."""
    sets: dict[tuple[str, int], dict[int, tuple[str, int]]] = {}
    for path, size in files:
        stem, extension = path[: -len(GGUF)], path[-len(GGUF) :]
        if extension.lower() != GGUF or not PurePosixPath(stem).name:
            continue
        match = _PART.fullmatch(stem)
        key = (match["stem"], int(match["count"])) if match else (stem, 1)
        sets.setdefault(key, {})[int(match["number"]) if match else 1] = (path, size)
    return sets


def named(found: Sequence[Variant]) -> list[Variant]:
    """The same, each with the shortest name that no other has.

    First its quantization, then what stands behind the model's name, then the file's name, then
    its path. Where there are several models, none is called by what
    it has in common with another.
    """
    names: dict[str, str] = {}  # by the first path
    waiting = list(found)
    for level in _LEVELS[_FILE_NAME if _are_several(found) else 0 :]:
        wished = {variant.first: level(variant) for variant in waiting}
        taken = {name.casefold() for name in names.values()}
        counted = Counter(name.casefold() for name in wished.values())
        for path, name in wished.items():
            if name and counted[name.casefold()] == 1 and name.casefold() not in taken:
                names[path] = name
        waiting = [variant for variant in waiting if variant.first not in names]
    names |= {variant.first: variant.first for variant in waiting}  # that differ by case alone
    return [variant.model_copy(update={"name": names[variant.first]}) for variant in found]


def _are_several(found: Iterable[Variant]) -> bool:
    """Are these different models? What stands before the words about storage is."""
    models = set()
    for variant in found:
        stem = variant.stem
        if _words(stem):
            model = stem.removesuffix(storage_of(variant.first)).lower()
            models.add("-".join(_PIECE.findall(_GENERIC.sub(" ", model))))
    return len(models) > 1


def _path(variant: Variant) -> str:
    """Its path without the ending and the part."""
    folder = PurePosixPath(variant.first).parent
    return str(folder / variant.stem)


def _says_no_more(variant: Variant) -> bool:
    """Is the quantization all that its name tells about storage?"""
    return storage_of(variant.first).upper() == variant.quantization


_LEVELS: tuple[Callable[[Variant], str], ...] = (
    lambda variant: variant.quantization if _says_no_more(variant) else "",
    lambda variant: variant.quantization,
    lambda variant: storage_of(variant.first),
    lambda variant: variant.stem,
    _path,
)
_FILE_NAME = 3  # the first of them that has the model's name in it


def also_called(variant: Variant) -> set[str]:
    """All that a person may mean it by, in small letters, besides its name."""
    path = variant.first
    names = {variant.quantization, storage_of(path), stem_of(path), _path(variant)}
    for one in variant.paths:
        names |= {one, PurePosixPath(one).name}
    return {name.casefold() for name in names if name}


class Beside(NamedTuple):
    """What goes beside a model, as far as names and sizes can tell."""

    word: str  # of its name, in small letters
    is_plain: bool  # it is called and as small as nothing else is, so that no header need be read


def presumed_beside(whole: Sequence[Variant]) -> dict[str, Beside]:
    """By their first paths, what is taken for no model until its header says otherwise.

    A word (`mtp`, `lora`, `draft`) makes no by-product of a model: the name without it must be a
    much larger neighbour's, or nothing at all.
    """
    marked = [(variant, word) for variant in whole if (word := _BESIDE.search(variant.stem))]
    if not marked:
        return {}
    smallest: dict[str, int] = {}
    for variant in whole:
        if not _BESIDE.search(variant.stem):
            name = name_alone(variant.first)
            smallest[name] = min(variant.bytes, smallest.get(name, variant.bytes))
    found = (
        (variant.first, _beside(variant, word[0].lower(), smallest)) for variant, word in marked
    )
    return {path: beside for path, beside in found if beside}


def _beside(variant: Variant, word: str, smallest: dict[str, int]) -> Beside | None:
    least = min(smallest.values(), default=0)
    if _PROJECTOR.search(variant.stem):
        return Beside("mmproj", variant.bytes < least or not least)
    if _IMPORTANCE.fullmatch(variant.stem):
        return Beside("imatrix", variant.bytes <= SMALL * least)
    alone = name_alone(_BESIDE.sub(" ", variant.stem))
    if alone and variant.bytes > SMALL * smallest.get(alone, 0):
        return None
    return Beside(word, is_plain=False)


def is_projector(path: str) -> bool:
    """Is the file called as one that lets a model see?"""
    name = PurePosixPath(path).name
    return name.lower().endswith(GGUF) and bool(_PROJECTOR.search(name))


def best_projector(
    model: str,
    files: Iterable[tuple[str, int]],
    is_one: Callable[[str], bool] = is_projector,
) -> tuple[str, int] | None:
    """Of the files beside a model (path and bytes each) its projector; None where it has none.

    One that bears the model's name goes before one without a name, and that before all others.
    """
    found = [(path, size) for path, size in files if is_one(path)]
    return min(found, key=lambda file: _projector_order(model, *file), default=None)


def _projector_order(model: str, projector: str, size: int) -> tuple[bool, bool, int, int, str]:
    name, quantization = name_alone(projector), quantization_of(projector)
    is_anothers = bool(name) and not name_alone(model).startswith(name)
    is_known = quantization in PROJECTORS
    place = PROJECTORS.index(quantization) if is_known else len(PROJECTORS)
    return is_anothers, not name, place, size, projector


def name_alone(path: str) -> str:
    """What a file's name says about the model, not about how it is stored: `anvil-vl-1b`.

    "" for a projector that is called like any other.
    """
    stem = stem_of(path)
    for word in reversed(_words(stem)):
        stem = f"{stem[: word.begin]} {stem[word.end :]}"
    return "-".join(_PIECE.findall(_GENERIC.sub(" ", stem.lower())))


def model_groups(whole: Iterable[Variant]) -> dict[str, list[Variant]]:
    """The files by the model they seem to be of: one name in one folder, however it is stored."""
    groups: defaultdict[str, list[Variant]] = defaultdict(list)
    for variant in whole:
        folders = [part for part in PurePosixPath(variant.first).parts[:-1] if not _words(part)]
        groups["/".join([*folders, name_alone(variant.first)])].append(variant)
    return groups
