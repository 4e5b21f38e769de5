"""Files that are put into a message before it is sent: drafts, by browser and conversation.

A draft is a text or a small picture with its token count. It lies on disk, so that neither a
reload nor a restart loses it, until its message takes it, or for a day. The owner and each guest
have a total of their own, and guests one together: nobody's files push out another's.
"""

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.chat import documents
from lib.chat.context_use import CHARACTERS_PER_TOKEN
from lib.chat.conversations import MOST_FILES, File
from lib.chat.documents import Content
from lib.core import words
from lib.core.access import Role, role
from lib.core.errors import BadInput, Conflict, NoSpace, NotFound
from lib.core.files import make_private, write_text
from lib.core.settings import settings
from lib.fit.picture import Picture
from lib.sharing import logins

MOST_BYTES_OF_OWNER = 1_000_000_000  # in all browsers
MOST_BYTES_OF_GUEST = 200_000_000  # a full message has 160 MB at most
MOST_BYTES_OF_GUESTS = 1_000_000_000
FINE_PRINT_PIXELS = 300_000  # fewer show a page's headings alone
LEAST_BYTES = 65_536  # that a draft counts for, so that there is an end to small ones too
KEPT_SECONDS = 86_400
LONGEST_NAME = 120
IMAGE_TOKENS = 576  # LLaVA 1.5, arXiv 2310.03744: 24 by 24 patches, whatever the picture's size

Count = Callable[[str], int | None]

_ID = re.compile(r"[0-9a-f]{32}")
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]"
)
_lock = threading.Lock()


class NoRoom(Conflict, code="no_room"):
    """What waits to be sent takes as much as it may."""


class Attachment(BaseModel):
    """A draft as it is shown; `problem` is what may be missing in it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    kind: Literal["text", "image"]
    tokens: int
    is_estimate: bool
    characters: int  # of text
    problem: str = ""
    created: float  # epoch seconds
    counted_by: str = ""  # the model whose tokens these are


def add(
    owner: str,
    conversation: str,
    name: str,
    data: bytes,
    count: Count,
    model: str = "",
    sees: Picture | None = None,
) -> Attachment:
    """Read a file and keep it as a draft; takes seconds for a large PDF.

    `count` tells the tokens of a text, or None where nobody can; `model` is whose they are, and
    `sees` what it looks at of a picture.
    BadInput where the file is of no use or there are too many, NoRoom where drafts take as much as
    they may, NoSpace where the disk is full.
    """
    folder = _folder(owner, conversation)
    with _told_of_disk():
        found = documents.read(name, data, _most_pixels(sees))
    tokens, is_estimate = _tokens(found, count, sees)
    attachment = Attachment(
        id=secrets.token_hex(16),
        name=file_name(name),
        kind=found.kind,
        tokens=tokens,
        is_estimate=is_estimate,
        characters=len(found.text),
        problem=_told(found, sees),
        created=time.time(),
        counted_by=model,
    )
    with _lock, _told_of_disk():
        _require_room(owner, len((found.text or found.image).encode()))
        if len(_kept(folder)) >= MOST_FILES:
            raise BadInput(f"A message has at most {MOST_FILES} files.", "Remove one first.")
        _store(folder, attachment, found.text or found.image)
    return attachment


def drafts(owner: str, conversation: str) -> list[Attachment]:
    """What waits to be sent, in the order it was added."""
    return _kept(_folder(owner, conversation))


def recounted(owner: str, conversation: str, model: str, count: Count) -> list[Attachment]:
    """The same with the tokens of another model, or of this one where they were estimated."""
    folder = _folder(owner, conversation)
    found = [_recounted(folder, draft, model, count) for draft in _kept(folder)]
    with _lock, contextlib.suppress(OSError):  # counted again next time
        present = {draft.id for draft in _kept(folder)}
        found = [draft for draft in found if draft.id in present]
        for draft in found:
            write_text(folder / f"{draft.id}.json", draft.model_dump_json())
    return found


def take(owner: str, conversation: str) -> list[File]:
    """The drafts for the message that is being sent; they are no drafts after that."""
    found = drafts(owner, conversation)
    taken = files(owner, conversation, found)
    discard(owner, conversation, found)
    return taken


def files(owner: str, conversation: str, found: Sequence[Attachment]) -> list[File]:
    """These drafts as a message carries them; they stay drafts."""
    folder, read = _folder(owner, conversation), []
    with _lock:
        for draft in found:
            with contextlib.suppress(OSError, ValueError):  # not what was stored
                read.append(_file(folder, draft))
    return read


def discard(owner: str, conversation: str, found: Sequence[Attachment]) -> None:
    """They have gone with a message."""
    folder = _folder(owner, conversation)
    with _lock:
        for draft in found:
            _forget(folder / f"{draft.id}.txt")


def remove(owner: str, conversation: str, attachment_id: str) -> None:
    """Forget one draft, or NotFound."""
    folder = _folder(owner, conversation)
    with _lock:
        if attachment_id not in {draft.id for draft in _kept(folder)}:
            raise NotFound("There is no such file in this message.", "It may be removed already.")
        _forget(folder / f"{attachment_id}.txt")


def forget_guests(login: str = "") -> None:
    """What this guest, or any, has not sent: the login has ended, so nobody can."""
    with _lock:
        for body in _guests().glob(f"{login or '*'}/*/*.txt"):
            _forget(body)


def file_name(given: str) -> str:
    """The last part of a path, without characters that hide or turn round what is read."""
    last = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = " ".join(_UNSEEN.sub("", last).split())
    if len(name) > LONGEST_NAME:
        stem, _, suffix = name.rpartition(".")
        ending = f"….{suffix}" if stem and len(suffix) < 10 else "…"
        name = name[: LONGEST_NAME - len(ending)] + ending
    return name or "file"


def _most_pixels(sees: Picture | None) -> int:
    """What a picture is limited to: another model may be asked about it later."""
    if sees is None:
        return documents.USUAL_PIXELS
    return max(documents.LEAST_PIXELS, min(sees.pixels, documents.MOST_PIXELS))


def _told(found: Content, sees: Picture | None) -> str:
    """What may be missing; of a picture also what the model does not look at."""
    if found.kind == "text" or sees is None:
        return found.problem
    seen = words.megapixels(sees.pixels)
    if found.problem:
        return f"{found.problem} This model looks at {seen}."
    is_coarse = sees.pixels < FINE_PRINT_PIXELS
    return f"This model looks at {seen}: small text in it is lost." if is_coarse else ""


def _tokens(found: Content, count: Count, sees: Picture | None = None) -> tuple[int, bool]:
    """How many, and whether that is an estimate."""
    if found.kind == "image":
        return (sees.tokens if sees else IMAGE_TOKENS), True
    counted = count(found.text)
    if counted is not None:
        return counted, False
    return max(1, round(len(found.text) / CHARACTERS_PER_TOKEN)), True


def _recounted(folder: Path, draft: Attachment, model: str, count: Count) -> Attachment:
    if draft.kind == "image" or (draft.counted_by == model and not draft.is_estimate):
        return draft
    try:
        text = _file(folder, draft)["text"]
    except OSError:  # sent or removed meanwhile
        return draft
    tokens, is_estimate = _tokens(Content(kind="text", text=text), count)
    changed = {"tokens": tokens, "is_estimate": is_estimate, "counted_by": model}
    return draft.model_copy(update=changed)


def _root() -> Path:
    return settings().home / "drafts"


def _guests() -> Path:
    return _root() / "guests"


def _folder(owner: str, conversation: str) -> Path:
    """Where a conversation's drafts are; ids that are none lead nowhere else."""
    if not (_ID.fullmatch(owner) and _ID.fullmatch(conversation)):
        raise NotFound("There is no such conversation.", "Open one from the list.")
    return (_guests() if role() == Role.GUEST else _root()) / owner / conversation


def _kept(folder: Path) -> list[Attachment]:
    found = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValidationError):
            found.append(Attachment.model_validate_json(path.read_bytes()))
    oldest = time.time() - KEPT_SECONDS
    return sorted((d for d in found if d.created > oldest), key=lambda draft: draft.created)


def _store(folder: Path, draft: Attachment, content: str) -> None:
    """The content first: a draft is there as soon as its record is."""
    body = folder / f"{draft.id}.txt"
    try:
        make_private(_root())
        write_text(body, content)
        write_text(body.with_suffix(".json"), draft.model_dump_json())
    except OSError:
        _forget(body)
        raise


@contextlib.contextmanager
def _told_of_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoSpace(
            f"The file could not be kept: {error.strerror or error}.",
            "Free some space and attach it again.",
        ) from error


def _file(folder: Path, draft: Attachment) -> File:
    content = (folder / f"{draft.id}.txt").read_text(encoding="utf-8")
    is_text = draft.kind == "text"
    return File(
        name=draft.name,
        text=content if is_text else "",
        image="" if is_text else content,
        tokens=draft.tokens,
    )


def _require_room(owner: str, size: int) -> None:
    """NoRoom where one more of so many bytes would be too much; what is a day old goes first.

    Guests from one address count as one.
    """
    if role() == Role.OWNER:
        _require("Your", _held(_root(), "*"), size, MOST_BYTES_OF_OWNER)
        return
    own = sum(_held(_guests(), one) for one in logins.neighbours(owner))
    _require("Your", own, size, MOST_BYTES_OF_GUEST)
    _require("All guests'", _held(_guests(), "*"), size, MOST_BYTES_OF_GUESTS)


def _require(whose: str, held: int, size: int, most: int) -> None:
    if held + max(size, LEAST_BYTES) > most:
        raise NoRoom(
            f"{whose} files that wait to be sent take {words.disk(held)},"
            f" and {words.disk(most)} is the most.",
            "Send some of yours or take them out; what nobody sends goes after a day.",
        )


def _held(root: Path, whose: str) -> int:
    """The bytes that drafts of this id, or of any ("*"), count for."""
    held = 0
    for body in root.glob(f"{whose}/*/*.txt"):
        with contextlib.suppress(OSError):  # taken meanwhile
            found = body.stat()
            if found.st_mtime < time.time() - KEPT_SECONDS:
                _forget(body)
            else:
                held += max(found.st_size, LEAST_BYTES)
    return held


def _forget(body: Path) -> None:
    """Both of a draft's files, and the folders that are empty then."""
    with contextlib.suppress(OSError):
        body.with_suffix(".json").unlink(missing_ok=True)
        body.unlink(missing_ok=True)
        body.parent.rmdir()
        body.parent.parent.rmdir()
