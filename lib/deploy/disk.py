"""Room on the disk for a deployment."""

import os
from collections.abc import Sequence
from pathlib import Path

from lib.core.files import free_bytes
from lib.deploy.shapes import Disk, EngineName, PlannedFile, Removable
from lib.download.hub_files import there_bytes
from lib.download.partial import RESERVE_BYTES
from lib.engines import all_models
from lib.engines.base import State


def ollama_folder() -> Path:
    """Where Ollama keeps its models, as far as can be known from here."""
    return Path(os.environ.get("OLLAMA_MODELS") or "~/.ollama/models").expanduser()


def for_fetching(files: Sequence[PlannedFile], folder: Path) -> Disk:
    """Room for files that Berth fetches into `folder`, with what is there already taken off."""
    kept = there_bytes([(file.path, file.bytes) for file in files], folder)
    return _disk(sum(file.bytes for file in files) - kept, kept, folder)


def for_ollama(size_bytes: int) -> Disk:
    """Room for what Ollama is to store."""
    return _disk(size_bytes, 0, ollama_folder())


def removable(limit: int = 20) -> tuple[Removable, ...]:
    """The installed models that do not run and that Berth may remove, largest first."""
    found = [
        Removable(name=model.name, engine=model.engine, bytes=model.frees_bytes)
        for model in all_models()
        if model.state in (State.STOPPED, State.FAILED)
        and not (model.stays_at or model.is_elsewhere or model.remove_with)
    ]
    return tuple(sorted(found, key=lambda one: -one.bytes)[:limit])


def is_in_ollama(name: str) -> bool:
    """Has Ollama stored a model of this name?"""
    engine: EngineName = "ollama"
    names = {model.name.casefold() for model in all_models() if model.engine == engine}
    return bool({name.casefold(), f"{name}:latest".casefold()} & names)


def _disk(needed: int, kept: int, folder: Path) -> Disk:
    reserve = RESERVE_BYTES if needed else 0
    return Disk(needed=needed + reserve, kept=kept, free=free_bytes(folder))
