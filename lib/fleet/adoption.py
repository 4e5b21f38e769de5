"""Models that lie on this machine already, whoever keeps them: found, and used where they are.

Nothing is written in other tools' folders: what is used gets a link below our models, and removing
it removes the link. See elsewhere.py for how they are found.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core import links
from lib.core.access import Action, Role, acting, carried, require
from lib.core.errors import BadInput, BerthError
from lib.core.names import shown
from lib.core.preferences import LONGEST_PATH, change, preferences
from lib.core.settings import settings
from lib.engines.llamacpp import abilities, files, stores
from lib.engines.llamacpp.adopt import adopt
from lib.engines.llamacpp.found import Found, fits
from lib.engines.llamacpp.stores import Place
from lib.fit.memory import Room, Verdict
from lib.fleet import elsewhere
from lib.fleet.elsewhere import Look

REMEMBERED_SECONDS = 900.0
FOLDER_SECONDS = 2.0  # to tell whether there is a folder

_log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A model that was found, beside what is known already."""

    found: Found
    is_here_as: str = ""  # the model of Berth's that is this file, or a copy of it
    same_as: Found | None = None  # a file that was found before it, with the same content

    @property
    def can_be_used(self) -> bool:
        """Is there anything to be gained by a link to it?"""
        return not self.is_here_as and not self.found.problem


class Adoption:
    """The looks of one process. Every method may be called from any thread."""

    def __init__(self, places: Callable[[Sequence[str]], Sequence[Place]] = stores.places) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._home = Path()
        self._last = Look()
        self._under_way: threading.Event | None = None
        self._looker = elsewhere.Looker()
        self._is_wanted = False  # another look, after the one that is under way
        self._using: set[str] = set()
        self._failures: dict[str, BerthError] = {}
        self._rows: tuple[object, list[Row]] = (None, [])

    def known(self) -> Look:
        """What the last look has found."""
        require(Action.CONFIGURE)
        return self._known()

    def seen(self) -> Look:
        """The same; a new look begins where that is old."""
        known = self.known()
        if not 0 <= time.time() - known.at < REMEMBERED_SECONDS:
            self._begun()
        return known

    def look(self) -> Look:
        """Look now, and wait for it."""
        require(Action.CONFIGURE)
        self._begun(again=True).wait()
        return self._known()

    def look_again(self) -> None:
        """Look now, and do not wait."""
        require(Action.CONFIGURE)
        self._begun(again=True)

    def is_looking(self) -> bool:
        """Is a look under way?"""
        return self._under_way is not None

    def rows(self) -> list[Row]:
        """What was found: first what is not used yet, by name.

        Compared anew only where a look, or whoever listed the models, has seen a change.
        """
        look, key = self.known(), _signature()
        if self._rows[0] != (look.at, key):
            rows = compared(look, _names(look, files.all_files()))
            self._rows = (look.at, _signature()), rows
        return self._rows[1]

    def _known(self) -> Look:
        """The last look, where it was at the home that is used now."""
        with self._lock:
            if self._home != settings().home:
                self._home, self._last = settings().home, Look()
            return self._last

    def _begun(self, *, again: bool = False) -> threading.Event:
        """The look that is under way, else one that begins; it may have to be done once more."""
        with self._lock:
            if self._under_way is not None:
                self._is_wanted = self._is_wanted or again
            else:
                self._under_way = threading.Event()
                given = (self._under_way, settings().home, again)
                threading.Thread(target=self._run, args=given, name="found", daemon=True).start()
            return self._under_way

    def _run(self, done: threading.Event, home: Path, again: bool) -> None:
        is_over = False
        while not is_over:
            try:
                with acting(Role.OWNER):
                    self._look_once(home, again)
            except Exception:  # a defect here must not cost more than the list
                _log.exception("This machine could not be looked through for models")
            with self._lock:
                is_over, self._is_wanted, again = not self._is_wanted, False, True
                self._under_way = None if is_over else done
        done.set()

    def _look_once(self, home: Path, again: bool) -> None:
        """What was kept on the disk will do where it is not old."""
        kept = self._known() if self._known().at else elsewhere.read()
        self._keep(kept, home)
        if again or not 0 <= time.time() - kept.at < REMEMBERED_SECONDS:
            look = self._looker.look(self._places(preferences().model_folders), kept)
            elsewhere.keep(look)
            self._keep(look, home)

    def _keep(self, look: Look, home: Path) -> None:
        with self._lock:
            if home == settings().home:
                self._last, self._home = look, home

    def use(self, paths: Sequence[str]) -> threading.Event:
        """Begin to link these to where the built-in engine looks; the event is set at the end.

        What was not found is left out; why one could not be linked tells `failure`.
        """
        require(Action.DEPLOY)
        found = {row.found.path for row in self.rows() if row.can_be_used}
        wanted = [path for path in paths if path in found and path not in self._using]
        done = threading.Event()
        with self._lock:
            self._using |= {*wanted}
            self._failures = {p: e for p, e in self._failures.items() if p not in wanted}
        work = carried(self._linked)
        threading.Thread(target=work, args=(wanted, done), name="adopt", daemon=True).start()
        return done

    def is_using(self, path: str = "") -> bool:
        """Is this one being linked, or any?"""
        return path in self._using if path else bool(self._using)

    def failure(self, path: str) -> BerthError | None:
        """Why it could not be linked, until the next try."""
        return self._failures.get(path)

    def _linked(self, paths: Sequence[str], done: threading.Event) -> None:
        try:
            for path in paths:
                error = _tried(path)
                with self._lock:
                    self._failures |= {path: error} if error else {}
                    self._using.discard(path)
        finally:
            with self._lock:
                self._using -= {*paths}
            done.set()


def _tried(path: str) -> BerthError | None:
    """Link to it; why that did not do."""
    try:
        adopt(Path(path))
    except BerthError as error:
        return error
    except OSError as error:
        said = f"{shown(path)} cannot be used: {error.strerror}."
        return BadInput(said, "Look at the file's disk.")
    return None


def compared(look: Look, names: Mapping[str, str]) -> list[Row]:
    """The models of a look; `names` are those of Berth's models by content and by `_mark`."""
    every = [found for place in look.places for found in place.models]
    used = {one.content: names[_mark(one.mark)] for one in every if _mark(one.mark) in names}
    first: dict[str, Found] = {}
    rows = []
    for found in every:
        keys = [key for key in (_mark(found.mark), found.content) if key]
        here = next(filter(None, (names.get(key) or used.get(key) for key in keys)), "")
        same = next((first[key] for key in keys if key in first), None)
        rows.append(Row(found, here, same))
        if same is None:
            first |= dict.fromkeys(keys, found)
    return sorted(rows, key=lambda row: (bool(row.is_here_as), row.found.name.casefold()))


def verdict(found: Found, look: Look, room: Room) -> Verdict | None:
    """Whether it fits the memory that is free now; None where its header was not read yet."""
    shape = look.shapes.get(found.shape)
    return fits(found, shape, room) if shape else None


def objection(found: Found) -> str:
    """Why it cannot be run here; "" where it can."""
    if found.problem:
        return f"{found.problem} {found.fix}".strip()
    unable = abilities.objection(found.name, found, found.task) if found.is_read else None
    return str(unable or "")


def add_folder(path: str) -> None:
    """Look for models there too, from now on; BadInput where there is no folder."""
    require(Action.CONFIGURE)
    text = path.strip()
    try:
        folder = Path(text).expanduser()
        is_whole = folder.is_absolute() and len(text) <= LONGEST_PATH and shown(text, 9_999) == text
    except RuntimeError:
        is_whole = False
    if not is_whole:
        raise BadInput("This is no whole path of a folder.", "It begins with / or ~.")
    if not _soon(lambda: links.is_folder(folder)):
        raise BadInput(
            f"There is no folder {shown(text)}, or its disk does not answer.", "Look at the path."
        )
    if _soon(lambda: elsewhere.is_ours(folder)):
        raise BadInput("What lies there is among Berth's models already.", "Name another folder.")
    change(model_folders=list(dict.fromkeys([*preferences().model_folders, str(folder)])))
    ADOPTION.look_again()


def remove_folder(path: str) -> None:
    """Look there no more; models that are used from there stay."""
    require(Action.CONFIGURE)
    change(model_folders=[one for one in preferences().model_folders if one != path])
    ADOPTION.look_again()


def _soon(question: Callable[[], bool]) -> bool:
    """The answer; no where the disk gives none."""
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(question()), daemon=True)
    asking.start()
    asking.join(FOLDER_SECONDS)
    return bool(answers) and answers[0]


def _signature() -> object:
    """Another value where Berth's models are others."""
    return files.signature() or tuple((one.path, one.changed) for one in files.all_files())


def _names(look: Look, here: Sequence[files.ModelFile]) -> dict[str, str]:
    """Of Berth's models, by the content and the marks of their files."""
    contents = {one.path: one.content for one in look.own}
    names = {}
    for file in here:
        with contextlib.suppress(OSError):
            stat = file.full_path.stat()
            names[_mark((stat.st_dev, stat.st_ino))] = file.name
        if content := contents.get(file.path):
            names[content] = file.name
    return names


def _mark(mark: tuple[int, int]) -> str:
    return f"{mark[0]}:{mark[1]}"


ADOPTION = Adoption()
