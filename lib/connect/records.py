"""What Berth has changed in settings of other programs, so that it can be taken back."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lib.connect.clients import Setting
from lib.connect.formats import Item, value_at
from lib.core.files import read_json, write_json
from lib.core.settings import settings
from lib.core.values import Frozen


class Kept(Frozen):
    """One value: where it was written, what it is, and what stood there before."""

    place: list[str | list[str]]  # a list is an entry's key and value
    value: Any
    is_ours: bool
    had: bool
    before: Any = None
    is_first: bool = False  # what stands around it was not there either

    @property
    def setting(self) -> Setting:
        """As it was written."""
        steps = [Item(*step) if isinstance(step, list) else step for step in self.place]
        return Setting(tuple(steps), self.value, self.is_ours)


class Record(Frozen):
    """One client's change."""

    path: str  # the file that was changed
    root: str  # the address that was written
    model: str
    made: str  # digest of what was written
    backup: str  # path of the copy; "" where there was no file
    original: str  # digest of that copy
    kept: list[Kept]


def read(client: str) -> Record | None:
    """What was changed for this client; None where nothing was."""
    try:
        return Record.model_validate(read_json(_path(client)))
    except ValidationError:
        return None


def write(client: str, record: Record) -> None:
    """Remember it; OSError where the disk refuses."""
    write_json(_path(client), record.model_dump(mode="json"))


def forget(client: str) -> None:
    """It is taken back."""
    _path(client).unlink(missing_ok=True)


def kept(setting: Setting, data: Any) -> Kept:
    """The setting with what stands at its place now."""
    nothing = object()
    before = value_at(data, setting.place, nothing)
    place: list[Any] = [list(s) if isinstance(s, Item) else s for s in setting.place]
    had = before is not nothing
    return Kept(
        place=place,
        value=setting.value,
        is_ours=setting.is_ours,
        had=had,
        before=before if had else None,
        is_first=len(place) > 1 and value_at(data, setting.place[:-1], nothing) is nothing,
    )


def _path(client: str) -> Path:
    return settings().home / "connect" / f"{client}.json"
