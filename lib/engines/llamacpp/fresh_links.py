"""Links that a deployment has made to files elsewhere, and whose model has not run yet.

They are noted before they are made, with the deployment's process. Once the model answers they are
like any other; where the deployment fails, is cancelled or killed before that, they are taken back.
Links that were there before are in no note, and nothing but links is ever removed.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from lib.core.files import make_private, read_json, write_json
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.llamacpp import records
from lib.processes import background as process
from lib.processes.background import Child


class _Note(Frozen):
    """What was made for whom."""

    links: tuple[str, ...]
    owner: Child

    def is_of(self, path: str) -> bool:
        """Is it about the model of this path below the models?"""
        return any(str(root / path) in self.links for root in settings().model_roots)


def intend(places: Sequence[Path], owner: Child) -> None:
    """Note that there will be links here."""
    note = _Note(links=tuple(map(str, places)), owner=owner)
    name = hashlib.sha256(note.links[0].encode("utf-8", "replace")).hexdigest()[:16]
    make_private(settings().engines)
    write_json(make_private(_folder()) / f"{name}.json", note.model_dump())


def keep(path: str) -> None:
    """The model of this path below the models answers: its links are to stay."""
    for file, note in _notes():
        if note.is_of(path):
            file.unlink(missing_ok=True)


def take_back(path: str) -> list[Path]:
    """Remove the links of this model; returns what they led to, nothing for links of before."""
    return _taken_back(lambda note: note.is_of(path))


def take_back_for(owner: Child) -> list[Path]:
    """The same with all that were made for this process."""
    return _taken_back(lambda note: note.owner.pid == owner.pid and process.is_alive(note.owner))


def sweep() -> None:
    """The same with those of processes that are no more, as when one was killed."""
    _taken_back(lambda note: not process.is_alive(note.owner))


def remove(places: Sequence[Path]) -> None:
    """Take links of ours away, and the folders that they leave empty."""
    for place in places:
        if place.is_symlink():
            place.unlink(missing_ok=True)
    for folder in (places[0].parent, places[0].parent.parent) if places else ():
        with contextlib.suppress(OSError):
            if folder not in settings().model_roots:
                folder.rmdir()


def _taken_back(is_meant: Callable[[_Note], bool]) -> list[Path]:
    """Not of a model that runs, or is about to: its end is told to whoever waits for it."""
    targets = []
    for file, note in _notes():
        if is_meant(note) and not _runs(note):
            places = [Path(link) for link in note.links]
            with contextlib.suppress(OSError):  # somebody else is at it
                targets += [place.readlink() for place in places if place.is_symlink()]
                remove(places)
                file.unlink(missing_ok=True)
    return targets


def _runs(note: _Note) -> bool:
    """Of a child that has ended the record goes, as its model does."""
    found = [record for record in records.read_all() if note.is_of(record.path)]
    if any(record.is_alive or not record.pid for record in found):
        return True
    for record in found:
        records.forget(record)
    return False


def _folder() -> Path:
    return settings().engines / "links"


def _notes() -> Iterator[tuple[Path, _Note]]:
    for file in sorted(_folder().glob("*.json")):
        with contextlib.suppress(ValidationError):
            yield file, _Note.model_validate(read_json(file))
