"""The batches of this machine: made, found, listed, cancelled, and how each of them stands."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from lib.batches import places, stored
from lib.batches.record import WINDOW_SECONDS, Asked, Batch, Standing
from lib.batches.stored import StoredFile
from lib.core import locks
from lib.core.errors import Conflict, NotFound
from lib.core.files import read_json, write_json
from lib.core.names import shown
from lib.jobs.folder import modified

KEPT_SECONDS = 30 * 86_400  # the record of one that is over


def create(
    file: StoredFile,
    endpoint: str,
    metadata: dict[str, str] | None = None,
    keep_seconds: int = stored.KEPT_SECONDS,
) -> Batch:
    """A new batch of the file's owner; it is on the disk when this returns, and begins by itself.

    NoSpace where the answers would hardly find room.
    """
    stored.require_room(2 * file.bytes)
    now = int(time.time())
    asked = Asked(
        id=places.new_id("batch_"),
        owner=file.owner,
        endpoint=endpoint,
        input_file_id=file.id,
        model=stored.first_model(file),
        metadata=metadata,
        created_at=now,
        expires_at=now + WINDOW_SECONDS,
        keep_seconds=keep_seconds,
        proof=secrets.token_urlsafe(24),
    )
    places.write_durably(places.make(_folder(asked)) / "batch.json", asked.model_dump())
    return Batch(asked=asked, standing=Standing())


def find(batch_id: str, owner: str) -> Batch:
    """The owner's batch of this id, or NotFound: also where it is somebody else's."""
    found = load(batch_id)
    if found is None or found.asked.owner != owner:
        raise NotFound(f"There is no batch “{shown(batch_id)}”.", "GET /v1/batches lists yours.")
    return found


def load(batch_id: str) -> Batch | None:
    """The batch of this id, whosever it is."""
    is_id = places.BATCH_ID.fullmatch(batch_id) is not None
    return _load(places.runs() / batch_id) if is_id else None


def page(owner: str, after: str, limit: int) -> tuple[list[Batch], bool]:
    """The owner's batches, newest first, from the one after this id on; and whether more follow."""
    found: list[Batch] = []
    for folder in places.newest(places.runs(), places.BATCH_ID):
        batch = _load(folder) if not after or folder.name < after else None
        if batch and batch.asked.owner == owner:
            if len(found) == limit:
                return found, True
            found.append(batch)
    return found, False


def ids() -> list[str]:
    """Of all batches, newest first."""
    return [folder.name for folder in places.newest(places.runs(), places.BATCH_ID)]


def cancel(batch: Batch) -> Batch:
    """It ends soon and keeps what is done; Conflict where it has ended otherwise."""
    if batch.standing.is_over and batch.cancelling_at is None:
        raise Conflict(
            f"The batch is {batch.status} already.", "There is nothing left to be cancelled."
        )
    if not batch.standing.is_over:
        (_folder(batch.asked) / "cancel").touch(exist_ok=True)
    return find(batch.asked.id, batch.asked.owner)


def require_unused(file: StoredFile) -> None:
    """Conflict while a batch reads the file."""
    for batch in map(load, ids()):
        if batch and batch.asked.input_file_id == file.id and not batch.standing.is_over:
            raise Conflict(
                f"The batch {batch.asked.id} still reads this file.",
                "Cancel the batch first, or wait until it is over.",
            )


@contextlib.contextmanager
def alone(asked: Asked) -> Iterator[None]:
    """Work on the batch as nobody else does; Conflict where somebody does already."""
    path = _folder(asked) / "alone"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not locks.take(handle, path):
            raise Conflict("Another process works on this batch.", "It goes on without this one.")
        yield
    finally:
        locks.give_back(handle)
        os.close(handle)


def note(asked: Asked, standing: Standing) -> None:
    """How it stands now; to be told by whoever is `alone` with it."""
    if standing.is_over:
        places.write_durably(_folder(asked) / "state.json", standing.model_dump(mode="json"))
    else:  # all of it can be found out again
        write_json(_folder(asked) / "state.json", standing.model_dump(mode="json"))


def keep_answers(asked: Asked) -> dict[str, bool]:
    """Give the files of the answers to their owner; which of the two there are."""
    return {
        "has_output": stored.keep_written(
            places.output_id(asked.id), asked.owner, f"{asked.id}_output.jsonl", asked.keep_seconds
        ),
        "has_errors": stored.keep_written(
            places.errors_id(asked.id), asked.owner, f"{asked.id}_errors.jsonl", asked.keep_seconds
        ),
    }


def is_cancelled(asked: Asked) -> bool:
    """Has somebody cancelled it?"""
    return (_folder(asked) / "cancel").exists()


def owner_of(proof: str) -> str | None:
    """Whose requests come with this proof (`BATCH:SECRET`); None where it is none."""
    batch_id, _, secret = proof.partition(":")
    batch = load(batch_id)
    is_right = batch and secrets.compare_digest(batch.asked.proof.encode(), secret.encode())
    return batch.asked.owner if batch and is_right else None


def forget_old(now: float) -> None:
    """Remove the records of those that ended long ago."""
    for batch in map(load, ids()):
        ended = batch.standing.ended_at if batch and batch.standing.is_over else None
        if batch and ended is not None and ended + KEPT_SECONDS < now:
            shutil.rmtree(_folder(batch.asked), ignore_errors=True)


def _load(folder: Path) -> Batch | None:
    try:
        asked = Asked.model_validate(read_json(folder / "batch.json"))
    except ValidationError:
        return None
    try:
        standing = Standing.model_validate(read_json(folder / "state.json"))
    except ValidationError:  # not begun, or torn by a power cut
        standing = Standing()
    cancelled = modified(folder / "cancel")
    return Batch(
        asked=asked,
        standing=standing,
        cancelling_at=None if cancelled is None else int(cancelled),
    )


def _folder(asked: Asked) -> Path:
    return places.runs() / asked.id
