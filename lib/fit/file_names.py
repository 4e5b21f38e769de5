"""What the names of GGUF files tell: quantization, parts, which files are one model, and a name
for each that nothing beside it has.

A quantization is a property of a file, and no name of it: two files may have the same, and many
have one that nobody has measured. What a file is (a model, a projector, an adapter) its header
tells, see lib/fit/kinds.py; here is what to take it for until somebody has looked.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from lib.core.values import Frozen
from lib.fit.quantizations import quality
from lib.fit.storage_names import GGUF, PART, plain, quantization_of, stem_of, storage_of, words_of

_BESIDE = re.compile(
    r"(?<![a-z])(mmproj|imatrix|lora|adapter|mtp|nextn|eagle\d?|dflash|draft(?:er)?|layers?|vocab"
    r"|vae|control[-_]?vector)(?![a-z])",
    re.IGNORECASE,
)
_PROJECTOR = re.compile(r"(?<![a-z])mmproj(?![a-z])", re.IGNORECASE)
_IMPORTANCE = re.compile(r"imatrix([-_.][a-z]+)?|.*[-_.]imatrix", re.IGNORECASE)
_PIECE = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*")
_GENERIC = re.compile(r"(?<![a-z])(mmproj|model|gguf)(?![a-z])", re.IGNORECASE)
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)B(?![A-Za-z0-9])", re.IGNORECASE)
LEAST_BITS = 2.0  # per weight: hardly a model is stored in less
SMALL = 0.5  # of the smallest model beside it: what is smaller may well be an addition to it

PROJECTORS = ("Q8_0", "F16", "BF16", "F32")  # best first: as good as any, and smallest


class Variant(Frozen):
    """One complete form of a model in a repository: a file, or all parts of a divided one."""

    quantization: str  # as its name tells it, `UD-` included; "" where that tells none we know
    paths: tuple[str, ...]  # inside the repository, in order
    bytes: int
    name: str = ""  # which no other in the repository has; "" where there is but one
    bits: float = 0.0  # per weight, for one without a known quantization; 0 where nobody counted

    def __hash__(self) -> int:
        return hash(self.paths)

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
        if extension.lower() != GGUF or stem.endswith("/") or not stem or is_hidden(path):
            continue
        match = PART.fullmatch(stem)
        key = (match["stem"], int(match["count"])) if match else (stem, 1)
        sets.setdefault(key, {})[int(match["number"]) if match else 1] = (path, size)
    return sets


def is_hidden(path: str) -> bool:
    """Does its name or a folder's begin with a dot, as what systems leave beside files does?"""
    return path.startswith(".") or "/." in path


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
        if words_of(stem):
            model = stem.removesuffix(storage_of(variant.first))
            models.add(_pieces(model))
    return len(models) > 1


def _path(variant: Variant) -> str:
    """Its path without the ending and the part."""
    folder = PurePosixPath(variant.first).parent
    return str(folder / variant.stem)


def _says_no_more(variant: Variant) -> bool:
    """Is the quantization all that its name tells about storage?"""
    storage = storage_of(variant.first)
    return storage.upper() == variant.quantization or plain(storage) == variant.quantization


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


def is_as_large_as_said(variant: Variant) -> bool:
    """Has it as many bytes as a model of the size in its name has? What goes beside one has not."""
    said = [float(size) for size in _SIZE.findall(variant.stem)]
    return bool(said) and 8 * variant.bytes >= LEAST_BITS * max(said) * 10**9


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
    for word in reversed(words_of(stem)):
        stem = f"{stem[: word.begin]} {stem[word.end :]}"
    return _pieces(stem)


@lru_cache(maxsize=4_096)
def _pieces(text: str) -> str:
    """In small letters and without signs; many files have the same."""
    return "-".join(_PIECE.findall(_GENERIC.sub(" ", text.lower())))


def model_groups(
    whole: Iterable[Variant], beside: Mapping[str, Beside]
) -> dict[str, list[Variant]]:
    """The files by the model they seem to be of: one name in one folder, however it is stored.

    What is taken for no model is apart from a model of the same name.
    """
    groups: defaultdict[str, list[Variant]] = defaultdict(list)
    for variant in whole:
        folders = [part for part in variant.first.split("/")[:-1] if not words_of(part)]
        apart = [beside[variant.first].word] if variant.first in beside else []
        groups["/".join([*folders, name_alone(variant.first), *apart])].append(variant)
    return groups
