"""One client's settings: as they are, as they would be, changed, and put back."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.connect import records, settings_file
from lib.connect.clients import BEGINNINGS, CLIENTS, Client, Setting
from lib.connect.formats import FORMATS, Unreadable, drop, put, value_at
from lib.connect.records import Kept, Record
from lib.connect.settings_file import Refused, Seen
from lib.connect.way import Way
from lib.core import locks
from lib.core.access import Action, require
from lib.core.errors import BerthError, Conflict, NotFound
from lib.core.files import make_private
from lib.core.redact import redact
from lib.core.settings import settings

CONTEXT_LINES = 2


class State(StrEnum):
    """Whether a client asks Berth."""

    USES = "Uses Berth"
    OTHERWISE = "Uses another"  # model, or an address that was
    NOT_YET = "Not yet"
    REFUSED = "Cannot be changed"


class Look(NamedTuple):
    """A client's settings now, and what would become of them."""

    client: Client
    state: State
    path: Path
    diff: str = ""  # from what is there to what would be
    seen: str = ""  # digest of what is there, to be named when it is changed
    said: str = ""  # why it cannot be changed
    fix: str = ""
    record: Record | None = None  # of what was changed here


def look(client: Client, way: Way) -> Look:
    """Reads the one file; never fails for what stands in it."""
    require(Action.CONFIGURE)
    path = client.file()
    try:
        seen = _seen(client)
        base = _without_ours(client, seen)
        new = _with_ours(client, base, way)
        state = _state(client, seen, new, way)
    except BerthError as error:
        return Look(client, State.REFUSED, path, said=error.message, fix=error.fix)
    record = records.read(client.name)
    return Look(
        client,
        state,
        path,
        _diff(seen.text, new, path.name) if state != State.USES else "",
        seen.digest,
        record=record if state in (State.USES, State.OTHERWISE) else None,
    )


def make(name: str, way: Way, seen: str) -> Path | None:
    """Change the settings; the place of the copy. Conflict where the file is not the one seen.

    A second time it is the file without Berth that is kept and changed.
    """
    require(Action.CONFIGURE)
    client = _client(name)
    with _alone():
        now = _same(client, seen)
        base = _without_ours(client, now)
        return _replace(client, now, base, _with_ours(client, base, way), way)


def take_back(name: str) -> bool:
    """Put the settings back; was the file the one that Berth had written, byte for byte?

    Where somebody has changed it since, only what Berth has written goes.
    """
    require(Action.CONFIGURE)
    client = _client(name)
    with _alone():
        now, record = _seen(client), records.read(name)
        is_same = record is not None and _is_as_made(now, record)
        if record and is_same and not record.backup:
            now.path.unlink()
        else:
            base = _without_ours(client, now)
            if base is not None and base.encode() != now.data:
                settings_file.write(now.path, base.encode())
        if record and is_same and record.backup:
            Path(record.backup).unlink(missing_ok=True)  # the file is the same again
        records.forget(name)
        return is_same


def example(client: Client, way: Way) -> str:
    """The settings alone, as a file that has nothing else."""
    return _with_ours(client, None, way)


def _replace(client: Client, now: Seen, base: str | None, text: str, way: Way) -> Path | None:
    """Copy first, then the record, then the file: whatever breaks off, nothing is lost."""
    data = FORMATS[client.kind].read(base or "")
    wanted = _wanted(client, base or "", way)
    old, before = records.read(client.name), None if base is None else base.encode()
    original = Seen(now.path, before)
    if old and old.backup and old.original == original.digest and Path(old.backup).is_file():
        backup: Path | None = Path(old.backup)
    else:
        backup = settings_file.back_up(original)
    record = Record(
        path=str(now.path),
        root=way.root,
        model=way.model,
        made=settings_file.digest(text.encode()),
        backup=str(backup or ""),
        original=original.digest,
        kept=[records.kept(one, data) for one in wanted],
    )
    try:
        records.write(client.name, record)
    except OSError as error:
        raise Refused(
            f"Berth cannot keep what it would change: {error.strerror}.", "Free some space."
        ) from error
    settings_file.write(now.path, text.encode())
    return backup


def _without_ours(client: Client, now: Seen) -> str | None:
    """The file as it would be without Berth; None where there would be none."""
    record = records.read(client.name)
    if now.data is None:
        return None
    if record and _is_as_made(now, record):
        if not record.backup:
            return None
        original = settings_file.see(Path(record.backup))
        if original.digest == record.original:
            return original.text
    text = now.text
    for one in reversed(record.kept if record else []):
        text = _taken_out(client.kind, text, one)
    return text


def _taken_out(kind: str, text: str, kept: Kept) -> str:
    """One value as it was before; what somebody has changed since is theirs."""
    place, value = kept.setting.place, kept.value
    now = value_at(FORMATS[kind].read(text), place)
    if now is None or (now != value and not kept.is_ours):
        return text
    return put(kind, text, place, kept.before) if kept.had else _dropped(kind, text, kept)


def _dropped(kind: str, text: str, kept: Kept) -> str:
    place = kept.setting.place
    text = drop(kind, text, place)
    above = place[:-1]
    is_empty = value_at(FORMATS[kind].read(text), above) in ({}, [], None)
    return drop(kind, text, above) if kept.is_first and is_empty else text


@lru_cache(maxsize=32)  # a page asks anew with every press
def _with_ours(client: Client, base: str | None, way: Way) -> str:
    text = BEGINNINGS.get(client.name, "") if base is None or not base.strip() else base
    for setting in _wanted(client, text, way):
        text = put(client.kind, text, setting.place, setting.value)
    return text


def _wanted(client: Client, text: str, way: Way) -> list[Setting]:
    """What is written into this text."""
    data = FORMATS[client.kind].read(text)
    return [
        one
        for one in client.settings(way)
        if not one.is_default or value_at(data, one.place) is None
    ]


def _state(client: Client, seen: Seen, new: str, way: Way) -> State:
    if seen.text == new:
        return State.USES
    data = FORMATS[client.kind].read(seen.text)
    if all(_stands(data, one) for one in _wanted(client, seen.text, way)):
        return State.USES
    record = records.read(client.name)
    earlier = [one.setting for one in record.kept] if record else []
    return State.OTHERWISE if any(_stands(data, one) for one in earlier) else State.NOT_YET


def _stands(data: object, setting: Setting) -> bool:
    return bool(value_at(data, setting.place) == setting.value)


def _seen(client: Client) -> Seen:
    path = client.file()
    seen = settings_file.see(path)
    older = path.with_name(client.hidden_by) if client.hidden_by else None
    if seen.data is None and older and older.exists():
        raise Refused(
            f"{client.title} still reads {older.name} here, and would not once {path.name} is "
            "there.",
            f"Have {client.title} write its {path.name} first.",
        )
    try:
        FORMATS[client.kind].read(seen.text)
    except Unreadable as error:
        raise Refused(f"{path} cannot be changed. {error.message}", error.fix) from error
    return seen


def _same(client: Client, digest: str) -> Seen:
    now = _seen(client)
    if now.digest != digest:
        raise Conflict(
            f"{now.path} was changed a moment ago.",
            "Look at what would change now, then try again.",
        )
    return now


def _is_as_made(now: Seen, record: Record) -> bool:
    return record.path == str(now.path) and record.made == now.digest


def _client(name: str) -> Client:
    if name not in CLIENTS:
        raise NotFound("There is no such program.", f"There are {', '.join(CLIENTS)}.")
    return CLIENTS[name]


@lru_cache(maxsize=32)
def _diff(old: str, new: str, name: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), name, name, n=CONTEXT_LINES, lineterm=""
    )
    shown = ["…" if line.startswith("@@") else line for line in list(lines)[2:]]
    text = "\n".join(shown[1:])  # where the first change is, its lines say themselves
    return redact(text)  # other keys may stand near what changes


@contextmanager
def _alone() -> Iterator[None]:
    """Two pages do not change the same file at the same time."""
    folder = make_private(settings().home / "connect")
    with locks.locked(folder / ".lock"):
        yield
