"""Which of a repository's files somebody means: whoever names one gets that one or none."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from lib.core import words
from lib.core.errors import BadInput, BerthError, BrokenFile
from lib.core.names import shown
from lib.fit import file_names
from lib.fit.file_names import Variant
from lib.fit.kinds import WORDS, Kind
from lib.fit.quantizations import MARK
from lib.fit.storage_names import GGUF
from lib.hub import Card, Contents
from lib.hub.errors import FileMissing

MOST_OFFERED = 12
LONGEST_SHOWN = 120
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".onnx", ".ggml", ".h5", ".msgpack", ".tflite")
_DOCUMENTS = (
    *(".md", ".json", ".txt", ".jinja", ".py", ".yaml", ".yml", ".html", ".csv", ".pdf", ".model"),
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".gitattributes", "license", "notice", "modelfile"),
)
_PATTERN = re.compile(r"[*?\[]")


class Wish(NamedTuple):
    """What of a repository is wanted: one of its files or folders, a quantization, or anything."""

    quantization: str = ""
    file: str = ""
    revision: str = "main"

    @property
    def is_of_a_file(self) -> bool:
        """Is it about files of exactly this repository?"""
        return bool(self.file) and not self.file.lower().endswith(_DOCUMENTS)


def is_weights(path: str) -> bool:
    """Is it a file that a model may be stored in, in whatever format?"""
    return path.lower().endswith((GGUF, *_WEIGHTS))


def is_pattern(path: str) -> bool:
    """Does it stand for all files of such names?"""
    return _PATTERN.search(path) is not None


def meant(wish: Wish, card: Card, contents: Contents) -> list[Variant]:
    """The models that the wish means, best first; none where the repository has no such.

    BadInput, FileMissing or BrokenFile for a file that was named and cannot be had so.
    """
    if wish.is_of_a_file:
        return _of_file(wish, card, contents)
    return called(wish.quantization, contents.models) if wish.quantization else [*contents.models]


def called(name: str, models: Sequence[Variant]) -> list[Variant]:
    """The models that are called so: by name, else by what stands in their files' names."""
    wanted = name.casefold()
    exact = [variant for variant in models if variant.title.casefold() == wanted]
    same = [variant for variant in models if wanted in file_names.also_called(variant)]
    marked = [variant for variant in models if variant.quantization == f"{MARK}{name}"]
    return exact or same or marked


def _of_file(wish: Wish, card: Card, contents: Contents) -> list[Variant]:
    path = wish.file
    models = contents.models
    found = [v for v in models if path in v.paths]
    if not found and is_pattern(path):
        found = [v for v in models if any(_matches(one, path) for one in v.paths)]
    found = found or [v for v in models if _is_in(v, path)] or called(path, models)
    if found:
        return found
    raise _not_a_model(wish, card, contents)


def _matches(path: str, pattern: str) -> bool:
    """As the Hub's own tool matches, which takes `*` for folders too."""
    small = pattern.casefold()
    return any(fnmatchcase(one.casefold(), small) for one in (path, PurePosixPath(path).name))


def _is_in(variant: Variant, folder: str) -> bool:
    return variant.first.startswith(f"{folder.rstrip('/')}/")


def _not_a_model(wish: Wish, card: Card, contents: Contents) -> BerthError:
    """Why the file that was named cannot be deployed."""
    name = shown(wish.file, LONGEST_SHOWN)
    kind = contents.beside.get(wish.file)
    paths = [file.path for file in card.files]
    if kind:
        return cannot_run_alone(name, kind, contents.models)
    if wish.file in paths and file_names.is_hidden(wish.file):
        return BadInput(
            f"“{name}” is a hidden file, which is left alone by whoever looks for models.",
            _offer(contents.models),
        )
    if wish.file in paths and wish.file.lower().endswith(GGUF):
        return BrokenFile(
            f"“{name}” is a part of a divided model whose other parts {card.id} does not have.",
            _offer(contents.models),
        )
    if wish.file in paths and is_weights(wish.file):
        alone = f"Give {card.id} alone: GGUF files that others made of it are looked for then."
        return BadInput(
            f"“{name}” is no GGUF file, the only kind that is deployed to a processor.",
            _offer(contents.models) if contents.models else alone,
        )
    return FileMissing(
        f"{card.id} has no GGUF file “{name}” in “{shown(wish.revision)}”.",
        _offer(contents.models),
    )


def cannot_run_alone(name: str, kind: Kind, models: Sequence[Variant] = ()) -> BadInput:
    """The refusal of a file that is no model."""
    return BadInput(f"“{name}” cannot be deployed: it is {WORDS[kind]}.", _offer(models))


def _offer(models: Sequence[Variant]) -> str:
    if not models:
        return "Search for the model's name with GGUF."
    return f"Choose one of {offered(models)}."


def offered(models: Sequence[Variant]) -> str:
    """Their names, not too many of them."""
    names = [variant.title for variant in models[:MOST_OFFERED]]
    more = len(models) - len(names)
    return ", ".join(names) + (f" and {words.count(more, 'other')}" if more else "")
