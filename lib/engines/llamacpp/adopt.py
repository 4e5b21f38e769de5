"""Model files that are not Berth's own: used where they are, through a link, and never deleted."""

from pathlib import Path

from lib.core.errors import BadInput, NotFound
from lib.core.files import make_private
from lib.core.names import shown
from lib.core.settings import settings
from lib.engines.llamacpp import files
from lib.engines.llamacpp.files import ModelFile
from lib.fit import gguf

FOLDER = "local"  # below the models


def adopt(path: Path) -> ModelFile:
    """The built-in engine's model of this file, linked to where it looks if it lies elsewhere.

    BrokenFile where it is no model. Removing the model later removes the link alone.
    """
    gguf.read_model(path)
    root = settings().models
    absolute = path.absolute()
    if not absolute.is_relative_to(root):
        absolute = _linked(path.resolve())
    first = str(gguf.shard_paths(absolute)[0].relative_to(root))
    for file in files.all_files():
        if file.path == first:
            return file
    raise NotFound(f"“{shown(path.name)}” is not among the models.", "Try again.")


def _linked(path: Path) -> Path:
    """A link to the file, and to each part of a divided model, in a folder of ours."""
    parts = gguf.shard_paths(path)
    for folder in _folders():
        places = [folder / part.name for part in parts]
        taken = [place for place in places if place.is_symlink() or place.exists()]
        if all(place.resolve() == part for place, part in zip(places, parts, strict=True)):
            return places[0]
        if not taken:
            return _link(parts, places)
    raise BadInput(f"There are too many files called {shown(path.name)}.", "Rename this one.")


def _folders() -> list[Path]:
    """Where links may be: one folder, and more for files of the same name."""
    root = settings().models / FOLDER
    return [root, *(root / str(number) for number in range(2, 100))]


def _link(parts: list[Path], places: list[Path]) -> Path:
    make_private(places[0].parent)
    for part, place in zip(parts, places, strict=True):
        try:
            place.symlink_to(part)
        except OSError as error:
            raise BadInput(
                f"{place} cannot be made: {error.strerror}.", "Look at the folder's permissions."
            ) from error
    return places[0]
