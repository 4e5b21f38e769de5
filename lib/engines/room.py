"""How much memory a load can have now: the system's figure, less what it does not know of.

The system counts pages of files as free, those of models that run too; and what is being loaded has
not taken all that it will. Loads under way are noted as files of BERTH_HOME, so that two dashboards
and their jobs know of each other's.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256

from pydantic import ValidationError

from lib.core.errors import BerthError
from lib.core.files import make_private, write_text
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines import all_models, llamacpp
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import measured, records
from lib.fit.memory import Room
from lib.machine import sampler
from lib.processes.background import Child, is_alive, me


class Loading(Frozen):
    """A load that is under way, by the process that waits for it."""

    engine: str
    model: str
    bytes: int
    waits: Child


def room_now() -> Room:
    """What this machine has at this moment."""
    return Room(
        free_bytes=max(0, free_bytes()),
        total_bytes=sampler.machine().memory_bytes,
    )


def free_bytes(models: Sequence[Model] | None = None, but: Model | None = None) -> int:
    """Memory that a load can have; `but` is the model that is to be loaded. May be below 0."""
    models = all_models() if models is None else models
    pages = sum(pages_in_use(model) for model in models if is_in_memory(model))
    return sampler.memory_available_bytes() - pages - _still_coming(models, but)


def of_file(model: Model, options: StartOptions) -> int:
    """What a load of the built-in engine is estimated to take, with what its last ones teach.

    BrokenFile, NotFound or OSError where its file does not tell.
    """
    file = llamacpp_files.find(model.name)
    return measured.expected(file, options) + max(0, measured.beyond(file))


def pages_in_use(model: Model) -> int:
    """Pages of its file that a model of the built-in engine works with.

    Those that were copied into another layout are not needed any more: what it has beyond what it
    was expected to need.
    """
    found = measured.look(model.name) if model.engine == llamacpp.NAME else None
    if found is None or model.state != State.READY:
        return 0
    return min(found.of_files, max(0, found.expected - found.own))


def given_back(model: Model) -> int:
    """What stopping it gives back; 0 for one that is not in memory."""
    if not is_in_memory(model):
        return 0
    found = measured.look(model.name) if model.engine == llamacpp.NAME else None
    return (model.memory_bytes or 0) if found is None else found.own + pages_in_use(model)


def is_in_memory(model: Model) -> bool:
    """Of this machine, and not of a card's."""
    return bool(model.memory_bytes) and not model.place and not model.is_elsewhere


@contextlib.contextmanager
def noted(model: Model, needed: int) -> Iterator[None]:
    """Within it the model is being loaded. A full disk keeps no model from memory."""
    name = sha256(f"{model.key}/{os.getpid()}".encode()).hexdigest()[:32]
    note = settings().engines / f"{name}.loading"
    load = Loading(engine=model.engine, model=model.name, bytes=needed, waits=me())
    with contextlib.suppress(OSError):
        make_private(note.parent)
        write_text(note, load.model_dump_json())
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def loads() -> list[Loading]:
    """Those that are under way; notes of processes that are no more are put away."""
    found = []
    for path in settings().engines.glob("*.loading"):
        with contextlib.suppress(OSError, ValidationError):
            load = Loading.model_validate_json(path.read_bytes())
            if is_alive(load.waits):
                found.append(load)
            else:
                path.unlink(missing_ok=True)
    return found


def _still_coming(models: Sequence[Model], but: Model | None) -> int:
    """Bytes that loads under way will yet take."""
    wanted = {f"{load.engine}/{load.model}": load.bytes for load in loads()}
    coming = 0
    for model in (one for one in models if but is None or one.key != but.key):
        needed = wanted.get(model.key) or _of_a_start(model)
        coming += max(0, needed - (model.memory_bytes or 0)) if needed else 0
    return coming


def _of_a_start(model: Model) -> int:
    """What a model takes that another program is loading: it leaves no note here."""
    if model.engine != llamacpp.NAME or model.state != State.STARTING:
        return 0
    record = records.read(model.name)
    with contextlib.suppress(BerthError, OSError):
        return of_file(model, record.options) if record else 0
    return 0
