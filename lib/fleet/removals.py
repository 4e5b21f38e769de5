"""Removals that were asked for and have not happened yet: a mark on disk for each, to be undone.

A mark is a file of BERTH_HOME, so that every dashboard knows of it and a restart forgets none. Who
takes it away decides: either it is undone, or carried out, never both.
"""

import contextlib
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from lib.core.errors import BadInput, BerthError, Conflict
from lib.core.files import write_text
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines import llamacpp, ollama
from lib.engines.base import Model
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.ollama import api

UNDO_SECONDS = 20.0
WAITING, UNDER_WAY = ".json", ".doing"


class Removal(Frozen):
    """One that was asked for."""

    engine: str
    model: str
    identity: str  # which model of this name
    frees_bytes: int
    asked_at: float  # epoch seconds

    @property
    def key(self) -> str:
        """As the model's own."""
        return f"{self.engine}/{self.model}"

    @property
    def left_seconds(self) -> float:
        """For an undo; a clock that was set back makes them no more than there ever were."""
        return min(UNDO_SECONDS, max(0.0, self.asked_at + UNDO_SECONDS - time.time()))


def mark(model: Model, identity: str) -> Removal:
    """Note that it is to be removed; Conflict where the disk refuses even that."""
    removal = Removal(
        engine=model.engine,
        model=model.name,
        identity=identity,
        frees_bytes=model.frees_bytes,
        asked_at=time.time(),
    )
    try:
        write_text(_file(removal.key, WAITING), removal.model_dump_json())
    except OSError as error:
        raise Conflict(
            f"“{model.name}” cannot be marked for its removal: {error.strerror}.",
            f"Free some space, or look at the permissions of {settings().home}.",
        ) from error
    return removal


def waiting() -> dict[str, Removal]:
    """Those that can still be undone, by their models' keys; one look at a folder."""
    found = (_read(path) for path in _folder().glob(f"*{WAITING}"))
    return {removal.key: removal for removal in found if removal}


def of(model: Model) -> Removal | None:
    """Is it to be removed?"""
    return _read(_file(model.key, WAITING))


def take_back(model: Model) -> bool:
    """It stays; False where it was not to go, or goes already."""
    return _taken(_file(model.key, WAITING))


def require_kept(model: Model) -> None:
    """Conflict where it is about to be removed: nobody starts it then."""
    if of(model) is not None:
        raise Conflict(
            f"“{model.name}” is about to be removed, so it is not started.",
            "Undo its removal on the Models page first.",
        )


def begin(removal: Removal) -> bool:
    """From now on it cannot be undone; False where it was undone before."""
    with contextlib.suppress(OSError):
        _file(removal.key, WAITING).rename(_file(removal.key, UNDER_WAY))
        return True
    return False


def end(removal: Removal) -> None:
    """It is done, or given up."""
    _file(removal.key, UNDER_WAY).unlink(missing_ok=True)


def broken_off() -> list[Removal]:
    """Those that somebody had begun who is no more."""
    found = (_read(path) for path in _folder().glob(f"*{UNDER_WAY}"))
    return [removal for removal in found if removal]


def identities(models: Sequence[Model]) -> list[str]:
    """What tells each from another model of its name, as far as its engine tells."""
    engines = {model.engine for model in models}
    files = llamacpp_files.all_files() if llamacpp.NAME in engines else []
    known = {(llamacpp.NAME, file.name): f"{file.path} {file.changed}" for file in files}
    if ollama.ENGINE.name in engines:
        with contextlib.suppress(BerthError):
            tags = api.listing("/api/tags", api.Tag)
            known |= {(ollama.ENGINE.name, tag.name): tag.digest for tag in tags}
    return [known.get((m.engine, m.name), f"{m.source} {m.size_bytes}") for m in models]


def require_undoable(model: Model) -> None:
    """BadInput for a model whose removal is a job of its own."""
    if model.remove_with or model.is_elsewhere:
        raise BadInput(
            f"“{model.name}” is not removed this way.",
            "One of a graphics card is removed by its own job, one elsewhere where it runs.",
        )


def _taken(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _read(path: Path) -> Removal | None:
    with contextlib.suppress(OSError, ValidationError):
        return Removal.model_validate_json(path.read_bytes())
    return None


def _file(key: str, ending: str) -> Path:
    return _folder() / f"{sha256(key.encode()).hexdigest()[:32]}{ending}"


def _folder() -> Path:
    return settings().home / "removals"
