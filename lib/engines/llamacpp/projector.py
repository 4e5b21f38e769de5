"""Projectors: the files beside a model that let it see; llama.cpp calls them mmproj.

A model's projector lies in its folder, or above that in the same download of a repository.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.core import links
from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.core.settings import settings
from lib.fit import gguf
from lib.fit.file_names import Variant, best_projector, name_alone, presumed_beside
from lib.fit.image_work import Projector, described
from lib.fit.kinds import Kind, kind, presumed

DOWNLOAD_DEPTH = 3  # organisation/name/commit


def usable_projector(model: Path) -> Path | None:
    """The projector of the model in this file, where it is whole and made for images."""
    projector = projector_of(model)
    return projector if projector and can_see(projector) else None


def projector_of(
    model: Path, looked_at: "Looked | None" = None, roots: Sequence[Path] | None = None
) -> Path | None:
    """The projector of the model in this file: beside it, or beside what a link leads to.

    Berth's folders of models hold downloads. Elsewhere several models may share a folder: there a
    projector belongs to those whose name it bears, or to the only one there is. `looked_at`
    remembers folders, for whoever asks about many models in one look, who then knows the `roots`.
    """
    known = {} if looked_at is None else looked_at
    roots = real_roots() if roots is None else roots
    for place in links.hops(model):
        if found := _projector_at(place, roots, known):
            return found
    return None


def real_roots() -> list[Path]:
    """Berth's folders of models, links followed."""
    return [root.resolve() for root in settings().model_roots]


class _Folder(NamedTuple):
    projectors: dict[str, int]  # with their bytes
    names: set[str]  # of models
    is_download: bool
    above: tuple[Path, ...]  # where else the projectors of its models may be, nearest first


Looked = dict[Path, _Folder]


def _projector_at(model: Path, roots: Sequence[Path], known: Looked) -> Path | None:
    own = _folder(model.parent, roots, known)
    projectors = own.projectors
    if not own.is_download:
        projectors = {n: s for n, s in projectors.items() if _belongs(n, model.name, own.names)}
    if best := best_projector(model.name, projectors.items(), lambda name: True):
        return model.parent / best[0]
    for place in own.above:
        projectors = _folder(place, roots, known).projectors
        if best := best_projector(model.name, projectors.items(), lambda name: True):
            return place / best[0]
    return None


def _folder(folder: Path, roots: Sequence[Path], known: Looked) -> _Folder:
    """What is in it, looked at once for all its models."""
    if folder not in known:
        files = dict(_ggufs(folder))
        found = {name: size for name, size in files.items() if _is_one(folder / name)}
        above = tuple(parent for parent in folder.parents if _is_download(parent.resolve(), roots))
        names = {name_alone(name) for name in files if name not in found}
        known[folder] = _Folder(found, names, _is_download(folder.resolve(), roots), above)
    return known[folder]


def kind_at(path: Path) -> Kind:
    """What a file is, by its first bytes; where those tell nothing, by its name."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would keep us waiting
            raise BrokenFile(f"“{shown(path.name)}” is no file.")
        return _kind_at(path, found.st_mtime_ns, found.st_size)
    except (BrokenFile, OSError):
        whole = [Variant(quantization="", paths=(path.name,), bytes=0)]
        beside = presumed_beside(whole).get(path.name)
        return presumed(beside.word) if beside else Kind.MODEL


@lru_cache(maxsize=32_768)  # fewer than there are models, and each look would read them all
def _kind_at(path: Path, _changed: int, _size: int) -> Kind:
    seen = gguf.glimpse_file(path)
    return kind(seen.values, seen.tensors, seen.tensor_count)


def _is_one(path: Path) -> bool:
    return kind_at(path) == Kind.PROJECTOR


def can_see(projector: Path) -> bool:
    """Is this a whole projector, and one for images?"""
    with contextlib.suppress(BrokenFile):
        header = gguf.read_file(projector)
        return header.architecture == "clip" and bool(header.values.get("clip.has_vision_encoder"))
    return False


def in_memory(projector: Path) -> Projector | None:
    """What it takes; None where it has gone."""
    with contextlib.suppress(OSError):
        size = projector.stat().st_size
        with contextlib.suppress(BrokenFile):
            return described(gguf.read_file(projector), size)
        return Projector(bytes=size)
    return None


def _is_download(real: Path, roots: Sequence[Path]) -> bool:
    inside = (real.relative_to(root).parts for root in roots if real.is_relative_to(root))
    return any(len(parts) >= DOWNLOAD_DEPTH for parts in inside)


def _ggufs(folder: Path) -> Iterator[tuple[str, int]]:
    """The GGUF files of a folder with their bytes."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(".gguf") and entry.is_file():
                yield entry.name, entry.stat().st_size


def _belongs(projector: str, model: str, models: set[str]) -> bool:
    """It bears the model's name; or none, and there is but one model."""
    name = name_alone(projector)
    return name_alone(model).startswith(name) if name else len(models) == 1
