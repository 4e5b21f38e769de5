"""Projectors: the files beside a model that let it see; llama.cpp calls them mmproj.

A model's projector lies in its folder, or above that in the same download of a repository.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import BrokenFile
from lib.core.settings import settings
from lib.fit import gguf
from lib.fit.quantizations import best_projector, is_projector, name_alone

DOWNLOAD_DEPTH = 3  # organisation/name/commit


def usable_projector(model: Path) -> Path | None:
    """The projector of the model in this file, where it is whole and made for images."""
    projector = projector_of(model, settings().models)
    return projector if projector and can_see(projector) else None


def projector_of(model: Path, root: Path) -> Path | None:
    """The projector of the model in this file; of a link, beside what it points to.

    `root` holds the downloads. Elsewhere several models may share a folder: there a projector
    belongs to those whose name it bears, or to the only one there is.
    """
    model = model.resolve()
    for folder in _folders(model, root.resolve()):
        files = dict(_ggufs(folder))
        projectors = {name: size for name, size in files.items() if is_projector(name)}
        if folder == model.parent and not _is_download(folder, root.resolve()):
            names = {name_alone(name) for name in files if name not in projectors}
            projectors = {n: s for n, s in projectors.items() if _belongs(n, model.name, names)}
        if best := best_projector(model.name, projectors.items()):
            return folder / best[0]
    return None


def can_see(projector: Path) -> bool:
    """Is this a whole projector, and one for images?"""
    with contextlib.suppress(BrokenFile):
        header = gguf.read_file(projector)
        return header.architecture == "clip" and bool(header.values.get("clip.has_vision_encoder"))
    return False


def _folders(model: Path, root: Path) -> Iterator[Path]:
    """Where its projector may be, nearest first."""
    yield model.parent
    yield from (folder for folder in model.parent.parents if _is_download(folder, root))


def _is_download(folder: Path, root: Path) -> bool:
    return folder.is_relative_to(root) and len(folder.relative_to(root).parts) >= DOWNLOAD_DEPTH


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
