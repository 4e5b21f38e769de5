"""Projectors: the files beside a model that let it see; llama.cpp calls them mmproj.

A model's projector lies in its folder, or above that in the same download of a repository.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

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


Looked = dict[Path, tuple[dict[str, int], set[str]]]  # by folder: projectors, and models' names


def _projector_at(model: Path, roots: Sequence[Path], known: Looked) -> Path | None:
    for folder in _folders(model, roots):
        if folder not in known:
            files = dict(_ggufs(folder))
            found = {name: size for name, size in files.items() if _is_one(folder / name)}
            known[folder] = found, {name_alone(name) for name in files if name not in found}
        projectors, names = known[folder]
        if folder == model.parent and not _is_download(folder, roots):
            projectors = {n: s for n, s in projectors.items() if _belongs(n, model.name, names)}
        if best := best_projector(model.name, projectors.items(), lambda name: True):
            return folder / best[0]
    return None


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


@lru_cache(maxsize=4_096)
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


def _folders(model: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """Where its projector may be, nearest first."""
    yield model.parent
    yield from (folder for folder in model.parent.parents if _is_download(folder, roots))


def _is_download(folder: Path, roots: Sequence[Path]) -> bool:
    real = folder.resolve()
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
