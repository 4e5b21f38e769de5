"""The folder of the models: what lies there, another one chosen, and the move of what lies behind.

A new folder holds from then on what is downloaded; models that are there already stay usable where
they lie, until they are moved (moving.py).
"""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.core import locks, model_place, words
from lib.core.access import Action, require
from lib.core.errors import BadInput, Conflict, NoSpace
from lib.core.files import free_bytes, make_private
from lib.core.model_place import MARKER, USUAL
from lib.core.names import shown
from lib.core.preferences import LONGEST_PATH
from lib.core.settings import ROOT, settings
from lib.core.values import Frozen
from lib.engines import all_models
from lib.engines.base import State
from lib.engines.llamacpp import files
from lib.engines.llamacpp.files import ModelFile
from lib.fleet import copies, moving
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.machine.mounts import IN_MEMORY, filesystem_of

KIND, RESOURCE = "move models", "models-folder"
DEPLOYMENTS = ("deploy", "starter")  # the jobs that write into the folder
_UNSEEN = ("lost+found", MARKER)
_REASONS = {errno.EROFS: "its disk is read-only", errno.EACCES: "this account may not write there"}


class Folder(Frozen):
    """One folder, and what lies there."""

    path: Path
    is_there: bool = True
    models: int = 0
    bytes: int = 0
    free_bytes: int | None = None


class Now(Frozen):
    """How it stands."""

    folder: Folder
    before: Folder | None = None  # where there is still something
    is_usual: bool = True
    is_readable: bool = True  # does the file that tells it?


def usual() -> Path:
    """The folder in BERTH_HOME."""
    return settings().home / USUAL


def look() -> Now:
    """Both folders, from what is known of the models."""
    place, found = model_place.place(settings().home), files.all_files()
    return Now(
        folder=_looked(place.now, found),
        before=_left_behind(place.before, found) if place.before else None,
        is_usual=place.now == usual(),
        is_readable=place.is_readable,
    )


def _left_behind(folder: Path, every: Sequence[ModelFile]) -> Folder | None:
    """With the bytes of all that would move; None where nothing is left."""
    found = _looked(folder, every)
    if not found.is_there:
        return found
    units = moving.left(folder)
    return found.model_copy(update={"bytes": sum(u.bytes for u in units)}) if units else None


def _looked(folder: Path, every: Sequence[ModelFile]) -> Folder:
    found = [file for file in every if file.folder == folder and not file.stays_at]
    is_there = model_place.is_there(folder, settings().home)
    return Folder(
        path=folder,
        is_there=is_there,
        models=len(found),
        bytes=sum(file.size_bytes for file in found),
        free_bytes=free_bytes(folder) if is_there else None,
    )


def choose(text: str) -> str:
    """Keep new models there from now on; what came of it, in a sentence.

    BadInput where it cannot be that folder, Conflict while something uses the one of now.
    """
    require(Action.CONFIGURE)
    home = settings().home
    place = model_place.place(home)
    folder = checked(text) if text.strip() else usual()
    if folder == place.now and place.is_readable and model_place.is_there(folder, home):
        return "That is where they lie."
    _require_rest()
    with locks.locked(make_private(home) / ".models-folder.lock"):
        _require_nothing_left(place.before, folder)
        _prepare(folder)
        is_left = not model_place.is_there(place.now, home) or bool(moving.left(place.now))
        moving.keep(folder, place.now if is_left and place.now != folder else None)
    stay = f" Those of before stay in {place.now} until they are moved." if is_left else ""
    return f"Saved. What is downloaded from now on goes to {folder}.{stay}"


def forget_before() -> None:
    """Look no more where models lay before; nothing there is touched."""
    require(Action.CONFIGURE)
    _require_rest()
    moving.forget_before()


def move() -> Job:
    """What lies in the folder of before to the one of now, in the background."""
    require(Action.CONFIGURE)
    now = look()
    if now.before is None:
        raise Conflict("All models lie in one folder already.", "Nothing has to be moved.")
    model_place.require_there(settings().home, now.folder.path, now.before.path)
    return jobs.start_once(
        [sys.executable, "-m", "lib.fleet.moving"],
        title=f"Move {words.count(now.before.models, 'model')} to {now.folder.path}",
        kind=KIND,
        resource=RESOURCE,
    )


def move_under_way() -> Job | None:
    """The move that runs."""
    return next(iter(jobs.running(KIND)), None)


def last_move() -> Job | None:
    """The newest one; it is looked for only where a folder was ever chosen."""
    if not (settings().home / model_place.NAME).exists():
        return None
    return next(iter(jobs.recent(1, KIND)), None)


def checked(text: str) -> Path:
    """The folder that this text names, without looking whether it can be written; else BadInput."""
    given = text.strip()
    if len(given) > LONGEST_PATH or any(not c.isprintable() for c in given):
        raise BadInput("This is no path of a folder.", "Type it as the file manager shows it.")
    path = Path(given).expanduser()
    if not path.is_absolute():
        raise BadInput(
            f"“{shown(given)}” is not the whole path.", "Begin it with a /, as in /disk/models."
        )
    folder = _resolved(path)
    if objection := _objection(folder):
        raise BadInput(*objection)
    own = settings().home / USUAL
    return own if folder == own.resolve() else folder


def _resolved(path: Path) -> Path:
    try:
        folder = path.resolve()
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder} is a file.", "Name a folder.")
    except (OSError, RuntimeError) as error:
        told = getattr(error, "strerror", "") or "its links lead nowhere"
        raise BadInput(f"{path} cannot be looked at: {told}.", "Name another folder.") from error
    return folder


def _objection(folder: Path) -> tuple[str, str] | None:
    """What speaks against it by its place alone: what happened, and what to do."""
    home = settings().home
    if folder == (home / USUAL).resolve():
        return None
    for taken, what in ((home, "Berth's own folder"), (ROOT, "Berth's program")):
        if folder.is_relative_to(taken):
            return f"{folder} is inside {what}.", f"Name a folder outside {taken}."
        if taken.is_relative_to(folder):
            return f"{what} is inside {folder}.", "Name a folder of its own, further below."
    for root in settings().model_roots:
        real = root.resolve()
        if folder != real and (folder.is_relative_to(real) or real.is_relative_to(folder)):
            return f"{folder} and {root} are inside one another.", "Name a folder beside it."
    if filesystem_of(folder) in IN_MEMORY:
        return f"{folder} is kept in memory, and gone after a restart.", "Name a folder on a disk."
    return None


def _require_rest() -> None:
    """Conflict while something writes there, or opens files of there."""
    for job in [*jobs.running(KIND), *(j for kind in DEPLOYMENTS for j in jobs.running(kind))]:
        raise Conflict(f"“{job.title}” is under way.", "Wait until it is done, or cancel it.")
    for model in all_models("llamacpp"):
        if model.state == State.STARTING:
            raise Conflict(f"{model.name} is being loaded.", "Wait until it is ready.")


def _require_nothing_left(before: Path | None, folder: Path) -> None:
    """There are two folders at most: back to the one of before, or all moved first."""
    if before is None or folder == before:
        return
    is_there = model_place.is_there(before, settings().home)
    if not is_there or moving.left(before):
        fix = "Move them first." if is_there else "Connect its disk and move them, or forget it."
        raise Conflict(f"Some models still lie in {before}.", fix)


def _prepare(folder: Path) -> None:
    """Make it, where it is missing, and write into it; BadInput where that fails."""
    is_new = not folder.exists()
    try:
        if not is_new and folder != usual():
            _require_ours(folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_marker(folder)
    except OSError as error:
        if is_new:
            copies.remove_if_empty(folder)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"The disk of {folder} is full.", "Free some space there.") from error
        reason = _REASONS.get(error.errno or 0, (error.strerror or "it fails").lower())
        raise BadInput(
            f"Nothing can be written to {folder}: {reason}.",
            "Look at the folder's permissions and its disk, or name another one.",
        ) from error


def _require_ours(folder: Path) -> None:
    """What lies in the folder counts as Berth's, so that it may be removed: nobody else's is."""
    found = (path.name for path in folder.iterdir())
    names = [name for name in found if name not in _UNSEEN and name[0] != "."]
    if names and not (folder / MARKER).exists():
        raise BadInput(
            f"{folder} has something else in it: {shown(sorted(names)[0])}.",
            f"Name an empty folder, for instance {folder / 'berth-models'}.",
        )


def _write_marker(folder: Path) -> None:
    """Into BERTH_HOME's own as well, as a trial."""
    marker = folder / MARKER
    marker.write_text("Berth keeps models in this folder.\n", encoding="utf-8")
