"""What a change did to the machine, noted before it was done, so that it can be undone.

    /var/lib/berth/slots/slot-0/journal.jsonl    one line for each step; gone when all is well
    /var/lib/berth/slots/slot-0/before/          what files held before

A change that is broken off, by a power cut as well, stays in the journal: whoever works on the slot
next goes on with it, and undoes it altogether where that fails. Every way back can be gone twice.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from lib.core.errors import Conflict, EngineError
from lib.core.files import make_private
from lib.core.values import Frozen
from lib.processes.identity import is_same, living

SAME_SECONDS = 2.0


class Owner(Frozen):
    """The process that a change belongs to."""

    pid: int
    created_at: float
    birth: str = ""

    @property
    def is_alive(self) -> bool:
        """Does it still run?"""
        process = living(self.pid)
        return process is not None and is_same(process, self.birth, self.created_at, SAME_SECONDS)


class Began(Frozen):
    """Somebody began the change, or went on with it."""

    kind: Literal["began"] = "began"
    what: str
    owner: Owner


class FileNote(Frozen):
    """A file as it was; `kept` names the copy, "" for a file that was not there."""

    kind: Literal["file"] = "file"
    path: Path
    kept: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


class FolderNote(Frozen):
    """A folder that was not there."""

    kind: Literal["folder"] = "folder"
    path: Path


class CommandNote(Frozen):
    """A command's way back."""

    kind: Literal["command"] = "command"
    why: str
    undo: tuple[str, ...]
    seconds: float


Note = FileNote | FolderNote | CommandNote
_NOTE: TypeAdapter[Began | Note] = TypeAdapter(
    Annotated[Began | FileNote | FolderNote | CommandNote, Field(discriminator="kind")]
)


class Journal:
    """The journal of one slot; the folder is made with the first note."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.jsonl"
        self._kept = folder / "before"

    @property
    def is_open(self) -> bool:
        """Is a change under way, or was one broken off?"""
        return self._path.exists()

    @property
    def began(self) -> Began | None:
        """Who works on it, or was the last to; None where nobody does."""
        found = [entry for entry in self._entries() if isinstance(entry, Began)]
        return found[-1] if found else None

    @property
    def is_busy(self) -> bool:
        """Does somebody work on it now?"""
        began = self.began
        return began is not None and began.owner.is_alive

    def begin(self, what: str, owner: Owner) -> bool:
        """Open it, or go on with what is open (True); Conflict where somebody else works on it."""
        self.require_free(owner)
        began = self.began
        if began is None or began.owner != owner:
            self._append(Began(what=what, owner=owner))
        return began is not None and began.owner != owner

    def require_free(self, owner: Owner) -> None:
        """Conflict where somebody else works on it."""
        began = self.began
        if began and began.owner != owner and began.owner.is_alive:
            raise Conflict(
                f"Another run is under way here: {began.what} (process {began.owner.pid}).",
                "Wait until it has ended, or end it first.",
            )

    def notes(self) -> list[Note]:
        """All steps so far, in order."""
        return [entry for entry in self._entries() if not isinstance(entry, Began)]

    def note_file(self, path: Path) -> None:
        """Keep what is there, to be called before the file is touched; once for each file."""
        if any(isinstance(note, FileNote) and note.path == path for note in self.notes()):
            return
        self._append(self._kept_file(path))

    def note_folder(self, path: Path) -> None:
        """The folder is about to be made."""
        self._append(FolderNote(path=path))

    def note_command(self, why: str, undo: tuple[str, ...], seconds: float) -> None:
        """A command is about to be run that this one takes back."""
        self._append(CommandNote(why=why, undo=undo, seconds=seconds))

    def restore(self, note: FileNote) -> None:
        """Give the file back what it held."""
        if not note.kept:
            note.path.unlink(missing_ok=True)
            return
        data = (self._kept / note.kept).read_bytes()
        put(note.path, data, note.mode, (note.uid, note.gid))

    def close(self) -> None:
        """The change is complete, or undone: nothing is kept of it."""
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self._kept, ignore_errors=True)

    def _kept_file(self, path: Path) -> FileNote:
        try:
            data, facts = path.read_bytes(), path.stat()
        except FileNotFoundError:
            return FileNote(path=path)
        make_private(self._kept)
        name = f"{len(self.notes()):04}"
        put(self._kept / name, data, 0o600)
        return FileNote(
            path=path, kept=name, mode=facts.st_mode & 0o7777, uid=facts.st_uid, gid=facts.st_gid
        )

    def _append(self, entry: Began | Note) -> None:
        """On the disk when this returns."""
        line = f"\n{entry.model_dump_json()}\n"  # a part of one may stand before it
        self.folder.mkdir(parents=True, exist_ok=True)
        is_new = not self._path.exists()
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync_folder(self.folder)

    def _entries(self) -> Iterator[Began | Note]:
        """Every whole line; a power cut may have left a part of one, whose step was not begun."""
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
                with contextlib.suppress(ValidationError):
                    yield _NOTE.validate_json(line)


def put(path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace the file in one step, with these rights from its first moment on; on the disk."""
    part = path.with_name(f".{path.name}.berth-part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if owner and os.geteuid() == 0:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EngineError(
            f"{path} cannot be written: {error.strerror}.", "Check the disk and the rights."
        ) from error
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the disk know the names in it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def all_journals(folders: Iterable[Path]) -> list[Journal]:
    """Those that are open."""
    return [journal for journal in map(Journal, folders) if journal.is_open]
