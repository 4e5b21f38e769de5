"""Files that were uploaded, or written by a batch: found, listed and removed for their owner."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from lib.batches import lines, places
from lib.batches.results import CONTENT
from lib.core import words
from lib.core.errors import NoSpace, NotFound
from lib.core.files import free_bytes, read_json
from lib.core.names import shown
from lib.core.settings import settings
from lib.core.values import Frozen

MOST_BYTES = 200 * 10**6
KEPT_SECONDS = 30 * 86_400
LEFT_FREE_BYTES = 2**30  # on the disk, whatever is kept here
STALE_SECONDS = 86_400  # after which an upload that has no end will never have one
LONGEST_NAME = 255
UPLOADED, WRITTEN = "batch", "batch_output"
META = "meta.json"


class StoredFile(Frozen):
    """meta.json."""

    id: str
    owner: str
    filename: str
    purpose: str
    bytes: int
    created_at: int  # epoch seconds
    expires_at: int

    @property
    def content(self) -> Path:
        """Where it lies."""
        return places.files() / self.id / CONTENT

    def described(self) -> dict[str, Any]:
        """The dialect's object."""
        told = self.model_dump(exclude={"owner"})
        return {**told, "object": "file", "status": "processed", "status_details": None}


class Receiving:
    """An upload on its way: its content so far, which is nobody's file before `keep`."""

    def __init__(self, owner: str) -> None:
        self.id = places.new_id("file-")
        self._owner = owner
        self._folder = places.make(places.files() / self.id)
        handle = os.open(self._folder / CONTENT, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.file: BinaryIO = os.fdopen(handle, "wb")

    def keep(self, filename: str, seconds: int) -> StoredFile:
        """It is a file from now on, on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        size = self.file.tell()
        self.file.close()
        name = shown(filename, LONGEST_NAME) or "batch.jsonl"
        return _keep(self.id, self._owner, name, UPLOADED, size, seconds)

    def give_up(self) -> None:
        """Nothing of it stays."""
        with contextlib.suppress(OSError):
            self.file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def receiving(owner: str) -> Iterator[Receiving]:
    """For one upload; what was not kept when it ends is gone."""
    upload = Receiving(owner)
    try:
        yield upload
    except BaseException:
        upload.give_up()
        raise


def require_room(size: int) -> None:
    """NoSpace unless the disk has so many bytes and some to spare."""
    free = free_bytes(settings().home)
    if free - size < LEFT_FREE_BYTES:
        raise NoSpace(
            f"The disk is too full: {words.disk(free)} free, and {words.disk(LEFT_FREE_BYTES)} of "
            "them are left alone.",
            "Delete files of earlier batches, or free some space elsewhere.",
        )


def keep_written(file_id: str, owner: str, filename: str, seconds: int) -> bool:
    """What a batch wrote is a file from now on; False where it has written nothing."""
    folder = places.files() / file_id
    if (folder / META).exists():
        return True
    try:
        size = (folder / CONTENT).stat().st_size
    except OSError:
        return False
    if not size:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    _keep(file_id, owner, filename, WRITTEN, size, seconds)
    return True


def _keep(
    file_id: str, owner: str, filename: str, purpose: str, size: int, seconds: int
) -> StoredFile:
    now = int(time.time())
    made = StoredFile(
        id=file_id,
        owner=owner,
        filename=filename,
        purpose=purpose,
        bytes=size,
        created_at=now,
        expires_at=now + seconds,
    )
    places.write_durably(places.files() / file_id / META, made.model_dump())
    return made


def find(file_id: str, owner: str) -> StoredFile:
    """The owner's file of this id, or NotFound: also where it is somebody else's."""
    found = _load(places.files() / file_id) if places.FILE_ID.fullmatch(file_id) else None
    if found is None or found.owner != owner:
        raise NotFound(f"There is no file “{shown(file_id)}”.", "GET /v1/files lists yours.")
    return found


def first_model(file: StoredFile) -> str:
    """The model that its first line names; "" where that cannot be told."""
    try:
        with file.content.open("rb") as content:
            return lines.first_model(content)
    except OSError:
        return ""


def every(owner: str) -> list[StoredFile]:
    """The owner's files, newest first."""
    folders = places.newest(places.files(), places.FILE_ID)
    return [file for one in folders if (file := _load(one)) and file.owner == owner]


def remove(file: StoredFile) -> None:
    """Its space is free when this returns."""
    folder = places.files() / file.id
    (folder / META).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def prune(in_use: set[str], now: float, is_gone: Callable[[str], bool]) -> list[str]:
    """Remove what has expired or has no owner more, and uploads that broke off.

    Nothing that is in use goes. `is_gone` tells of an owner.
    """
    gone = []
    for folder in places.newest(places.files(), places.FILE_ID):
        file = _load(folder)
        is_over = file.expires_at < now or is_gone(file.owner) if file else _is_stale(folder)
        if is_over and folder.name not in in_use:
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return gone


def _is_stale(folder: Path) -> bool:
    try:
        return folder.stat().st_mtime < time.time() - STALE_SECONDS
    except OSError:
        return False


def _load(folder: Path) -> StoredFile | None:
    try:
        return StoredFile.model_validate(read_json(folder / META))
    except ValidationError:
        return None
