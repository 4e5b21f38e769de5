"""What the built-in engine can run: told before a file is fetched, and before one is started."""

import importlib.metadata
from typing import Protocol

from lib.core.errors import CannotRun
from lib.core.names import shown
from lib.engines.llamacpp import program
from lib.fit.engine_tables import ARCHITECTURES
from lib.fit.kinds import NOT_SERVED, Task

OTHER_MODEL = "Choose another model."
NEWER = "Choose another file or another model, or a newer Berth whose engine knows it."


class Described(Protocol):
    """What is known about a model's file."""

    @property
    def architecture(self) -> str:
        """The kind of model, as its file names it."""

    @property
    def unknown_types(self) -> tuple[str, ...]:
        """Types of tensors that stand in no table of ours."""


def objection(name: str, model: Described, task: Task) -> CannotRun | None:
    """Why no engine here runs this model; None where one does, or may."""
    if task in NOT_SERVED:
        return CannotRun(f"“{shown(name)}” cannot be run here: {NOT_SERVED[task]}.", OTHER_MODEL)
    unknown = unknown_to_engine(model)
    if not unknown or has_own():
        return None
    return CannotRun(f"“{shown(name)}” cannot be run here: {engine()} {unknown}.", NEWER)


def unknown_to_engine(model: Described) -> str:
    """What of a model the engine that comes with Berth does not know; "" for nothing."""
    if model.architecture not in ARCHITECTURES:
        return f"does not know models of the kind “{shown(model.architecture)}”"
    if model.unknown_types:
        return f"does not know tensors of {', '.join(model.unknown_types)}"
    return ""


def has_own() -> bool:
    """Is there a llama-server of the user's own, which may be newer than our tables?"""
    own = program.known()
    return own is not None and not own.problem


def engine() -> str:
    """The engine that comes with Berth, for people."""
    try:
        return f"the built-in engine (xllamacpp {importlib.metadata.version('xllamacpp')})"
    except importlib.metadata.PackageNotFoundError:
        return "the built-in engine"
