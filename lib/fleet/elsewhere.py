"""The places of this machine where models may lie, looked through one beside the other.

Each has a thread of its own: one on a disk that does not answer keeps none of the others waiting,
and is not begun a second time. What a look has found is kept on the disk, with what headers told.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from lib.core import words
from lib.core.errors import BadInput, BrokenFile
from lib.core.files import write_text
from lib.core.links import Bounds
from lib.core.names import shown
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.llamacpp import files, stores
from lib.engines.llamacpp.found import Found, Reading, content_of
from lib.engines.llamacpp.stores import OWN, Place
from lib.fit import gguf
from lib.fit.architecture import Geometry

HANG_SECONDS = 15.0  # without a step a folder's disk does not answer
WAIT_SECONDS = 0.2
MOST_MODELS = 10_000  # of one place
MOST_FOLDERS, WALK_SECONDS = 60_000, 300.0
READ_SECONDS = 180.0  # of headers in one look; the rest is read by the next one
LONGEST_SHOWN = 200

_log = logging.getLogger(__name__)


class Seen(Frozen):
    """What there is in one place."""

    tool: str
    folder: str
    models: tuple[Found, ...] = ()
    said: str = ""  # what could not be seen, in a sentence
    beside: str = ""  # what else is there, in a sentence


class Own(Frozen):
    """A file of Berth's own, by which copies elsewhere are known."""

    path: str
    changed: str
    content: str


class Look(Frozen):
    """All places, as one look has found them."""

    at: float = 0.0  # epoch seconds; 0: nobody has looked yet
    places: tuple[Seen, ...] = ()
    shapes: Mapping[str, Geometry] = {}
    own: tuple[Own, ...] = ()

    @property
    def beside(self) -> list[str]:
        """What else is there, and cannot be used from here."""
        return [place.beside for place in self.places if place.beside]

    @property
    def said(self) -> list[str]:
        """What could not be seen."""
        return [place.said for place in self.places if place.said]


class Run:
    """The look at one place, in a thread of its own."""

    def __init__(self, place: Place, reading: Reading) -> None:
        self.place, self.reading = place, reading
        self.bounds = Bounds(MOST_FOLDERS, WALK_SECONDS)
        self.seen: Seen | None = None
        self.done = threading.Event()

    def begin(self) -> None:
        """Look, and do not wait."""
        name = f"found-{self.place.folder.name}"
        threading.Thread(target=_look_at, args=(self,), name=name, daemon=True).start()

    @property
    def is_silent(self) -> bool:
        """Has it not come on for long?"""
        return not self.done.is_set() and time.monotonic() - self.bounds.beat > HANG_SECONDS


class Looker:
    """Looks through the places; remembers which of them hang."""

    def __init__(self) -> None:
        self._hanging: dict[Path, Run] = {}

    def look(self, places: Sequence[Place], kept: Look) -> Look:
        """All that there is; `kept` is what was known before. It takes as long as it takes."""
        late = [run for run in self._hanging.values() if run.seen]  # what came after all
        known = {
            found.path: found
            for place in (*kept.places, *(run.seen for run in late if run.seen))
            for found in place.models
        }
        shapes = dict(kept.shapes)
        for run in late:
            shapes |= run.reading.shapes
        reading = Reading(known, shapes, READ_SECONDS)
        runs = [self._begun(place, reading) for place in places]
        for run in runs:
            while not run.done.wait(WAIT_SECONDS) and not run.is_silent:
                pass
        self._hanging = {run.place.folder: run for run in runs if not run.done.is_set()}
        seen = _each_once([run.seen or _silent(run.place) for run in runs])
        used = {found.shape for place in seen for found in place.models}
        for run in runs:
            shapes |= run.reading.shapes
        return Look(
            at=time.time(),
            places=seen,
            shapes={key: shape for key, shape in shapes.items() if key in used},
            own=_own_contents({one.path: one for one in kept.own}),
        )

    def _begun(self, place: Place, reading: Reading) -> Run:
        """One that hangs is not begun a second time."""
        run = self._hanging.get(place.folder)
        if run is None or run.done.is_set():
            run = Run(place, reading)
            run.begin()
        return run


def read() -> Look:
    """The look that was kept."""
    with contextlib.suppress(OSError, ValidationError):
        return Look.model_validate_json(_file().read_bytes())
    return Look()


def keep(look: Look) -> None:
    """For the next start; a full disk costs that its speed."""
    with contextlib.suppress(OSError):
        write_text(_file(), look.model_dump_json())


def is_ours(path: Path) -> bool:
    """Does it lie below Berth's models, whatever links lead there?"""
    with contextlib.suppress(OSError, RuntimeError):
        real = path.resolve()
        return any(real.is_relative_to(root.resolve()) for root in settings().model_roots)
    return False


def _file() -> Path:
    return settings().home / "cache" / "found.json"


def _look_at(run: Run) -> None:
    """What is in it, and what could not be seen."""
    found: list[Found] = []
    said, beside = f"{_named(run.place)} could not be looked through.", ""
    try:
        beside = _checkpoints(run)
        said = _unseen(run.place) or _filled(run, found) or _closed(run)
    except BadInput as error:
        said = error.message
    except Exception:  # a defect costs this place alone
        _log.exception(said)
    finally:
        tool, folder = run.place
        told = {"said": said, "beside": beside}
        run.seen = Seen(tool=tool, folder=str(folder), models=tuple(found), **told)
        run.done.set()


def _checkpoints(run: Run) -> str:
    number = stores.checkpoints_in(run.place.folder, run.bounds)
    said = words.count(number, "model is stored as", "models are stored as")
    where = _named(run.place)
    return f"In {where}, {said} safetensors: graphics cards alone run these." if number else ""


def _filled(run: Run, found: list[Found]) -> str:
    """Each model that is there; a sentence where there are too many."""
    if not run.place.folder.exists():
        return ""
    for stored in stores.each_in(run.place.folder, run.bounds):
        run.bounds.beat = time.monotonic()
        if is_ours(stored.path):
            continue
        if model := run.reading.read(run.place.tool, stored):
            found.append(model)
        if len(found) >= MOST_MODELS:
            return f"Of the models in {_named(run.place)} the first {MOST_MODELS:,} are listed."
    return ""


def _unseen(place: Place) -> str:
    """Why nothing can be seen there; of a tool that is not here, nothing needs to be said."""
    try:
        place.folder.stat()
    except PermissionError:
        return _no_rights(place)
    except (OSError, ValueError):
        return f"{_named(place)} is not there." if place.tool == OWN else ""
    return ""


def _closed(run: Run) -> str:
    if run.place.folder in run.bounds.closed:
        return _no_rights(run.place)
    if closed := set(run.bounds.closed):
        folders = words.count(len(closed), "folder")
        return f"{folders} in {_named(run.place)} may not be looked into."
    return ""


def _no_rights(place: Place) -> str:
    said = "may not be looked into: this account has no right to read it."
    return f"{_named(place)} ({place.tool}) {said}"


def _named(place: Place) -> str:
    return shown(str(place.folder), LONGEST_SHOWN)


def _silent(place: Place) -> Seen:
    said = f"The disk of {_named(place)} does not answer: its models are left out."
    return Seen(tool=place.tool, folder=str(place.folder), said=said)


def _each_once(places: Sequence[Seen]) -> tuple[Seen, ...]:
    """A file that several places lead to is the first one's."""
    known: set[str] = set()
    kept = []
    for place in places:
        models = []
        for found in place.models:
            if found.real_path not in known:
                known.add(found.real_path)
                models.append(found)
        kept.append(place.model_copy(update={"models": tuple(models)}))
    return tuple(kept)


def _own_contents(known: Mapping[str, Own]) -> tuple[Own, ...]:
    """Berth's own files, read once."""
    found = []
    for file in files.all_files():
        before = known.get(file.path)
        if before is None or before.changed != file.changed:
            parts = [file.full_path]
            with contextlib.suppress(BrokenFile, OSError):
                parts = gguf.shard_paths(file.full_path)
            content = content_of(parts)
            before = Own(path=file.path, changed=file.changed, content=content)
        found.append(before)
    return tuple(found)
