"""What was decided about single models: a JSON file of one value for each, by `engine/name`."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from lib.core import toml_file
from lib.core.access import Action, require

_Value = TypeVar("_Value", bound=BaseModel)
_Mark = tuple[str, int, int, int]


class Kept(Generic[_Value]):
    """Such a file. A broken one is told of and put aside at the next change, and never fatal."""

    def __init__(self, path: Callable[[], Path], kind: type[_Value]) -> None:
        self._path, self._usual = path, kind()
        self._adapter: TypeAdapter[dict[str, _Value]] = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
        self._last: tuple[_Mark, dict[str, _Value] | None] | None = None

    def read(self) -> dict[str, _Value] | None:
        """All that is not as usual; None for a file that cannot be read.

        The file is read only where it has changed: a page asks once for every model.
        """
        try:
            found = self._path().stat()
        except FileNotFoundError:
            return {}
        except OSError:
            return None
        mark = (str(self._path()), found.st_ino, found.st_mtime_ns, found.st_size)
        if self._last is None or self._last[0] != mark:
            self._last = (mark, self._parsed())
        return self._last[1]

    def change(self, key: str, act: Callable[[_Value], _Value]) -> None:
        """Decide anew. Forbidden but for the owner; Conflict where the disk refuses.

        `act` gets what is decided by then, with the file's lock held: of two who change something
        at once, both do. A file that was broken is kept beside it, as `….broken.json`.
        """
        require(Action.CONFIGURE)
        path = self._path()
        with toml_file.writing(path):
            known = self._parsed() if path.exists() else {}
            before = (known or {}).get(key, self._usual)
            values = {**(known or {}), key: act(before)}
            kept = {name: each for name, each in values.items() if each != self._usual}
            text = self._adapter.dump_json(kept, indent=1, exclude_defaults=True).decode()
            toml_file.replace(path, text, is_broken=known is None)

    def forget(self, key: str) -> None:
        """As usual from now on."""
        if key in (self.read() or {}):
            self.change(key, lambda _: self._usual)

    def _parsed(self) -> dict[str, _Value] | None:
        try:
            return self._adapter.validate_json(self._path().read_bytes())
        except (OSError, ValueError):
            return None
