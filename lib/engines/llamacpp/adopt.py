"""Model files that are not Berth's own: used where they are, through a link, and never deleted."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core import links
from lib.core.errors import BadInput, NotFound
from lib.core.files import make_private
from lib.core.names import shown
from lib.core.settings import settings
from lib.engines.llamacpp import files, fresh_links, stores
from lib.engines.llamacpp.files import ModelFile
from lib.fit import gguf
from lib.fit.kinds import WORDS, Kind, kind_of
from lib.processes.background import Child

FOLDER = "local"  # below the models
MOST_FOLDERS = 100  # for files of the same name


class _Link(NamedTuple):
    """A link of ours that is to be, and what it leads to."""

    place: Path
    target: Path


def adopt(path: Path, owner: Child | None = None) -> ModelFile:
    """The built-in engine's model of this file, linked to where it looks if it lies elsewhere.

    Name, parts and projector are those of the path that was given, whatever file it leads to.
    BrokenFile where it is no model. Removing the model later removes the link alone; where this
    fails, no link stays behind. Links that are made for an `owner` go with it, see fresh_links.py.
    """
    fresh_links.sweep()
    stored = stores.named(path.absolute())
    first = gguf.shard_paths(stored.path)[0]
    kind = kind_of(gguf.read_model(first))
    if kind != Kind.MODEL:
        raise BadInput(f"“{shown(path.name)}” is no model: it is {WORDS[kind]}.", "Choose another.")
    name = f"{stored.name}.gguf" if stored.name else first.name
    if known := _known(first, name):
        return known
    made = _linked(first, name, stored.projector, owner)
    if found := _known(first, name):
        return found
    fresh_links.remove(made)
    raise NotFound(f"“{shown(path.name)}” is not among the models.", "Try again.")


def _known(first: Path, name: str) -> ModelFile | None:
    """The model of this file under this name, where it is among the models already."""
    for file in files.all_files():
        if file.full_path.name == name and links.is_same(file.full_path, first):
            return file
    return None


def _linked(first: Path, name: str, projector: Path | None, owner: Child | None) -> list[Path]:
    """Links to the file, to each part of a divided model, and to its projector; in our folder."""
    parts = gguf.shard_paths(first)
    names = [part.name for part in parts] if len(parts) > 1 else [name]
    wanted = dict(zip(names, parts, strict=True))
    if projector and projector.is_file():
        wanted[f"mmproj-{name}"] = projector
    for folder in _folders():
        planned = [_Link(folder / one, target) for one, target in wanted.items()]
        if all(_is_free(link) for link in planned):
            return _made(planned, owner)
    raise BadInput(f"There are too many files called {shown(name)}.", "Rename this one.")


def _is_free(link: _Link) -> bool:
    """Nothing is there, or a link of ours that leads to the same file, or to none any more."""
    if link.place.is_symlink():
        return not link.place.exists() or links.is_same(link.place, link.target)
    return not link.place.exists()


def _folders() -> list[Path]:
    """Where links may be: one folder, and more for files of the same name."""
    root = settings().models / FOLDER
    return [root, *(root / str(number) for number in range(2, MOST_FOLDERS))]


def _made(planned: Sequence[_Link], owner: Child | None) -> list[Path]:
    """The links, all of them or none; those that are there are left as they are."""
    wanted = [link for link in planned if not (link.place.is_symlink() and link.place.exists())]
    places = [link.place for link in wanted]
    try:
        make_private(planned[0].place.parent)
        if owner and places:
            fresh_links.intend(places, owner)
        for place, target in wanted:
            place.unlink(missing_ok=True)  # what it led to has gone
            place.symlink_to(target)
    except OSError as error:
        fresh_links.remove(places)
        raise BadInput(
            f"{error.filename2 or error.filename} cannot be made: {error.strerror}.",
            "Look at the folder's permissions.",
        ) from error
    return places
