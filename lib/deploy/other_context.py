"""Whether a model that is here already fits with another context."""

from functools import lru_cache
from pathlib import Path

from lib.core.errors import BerthError
from lib.engines import llamacpp
from lib.engines.base import Model, StartOptions
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp.launch import load_of_file
from lib.engines.room import room_now
from lib.fit import gguf
from lib.fit.architecture import Geometry, geometry
from lib.fit.fitting import Fitting
from lib.fit.memory import Verdict


def verdict(model: Model, context: int) -> Verdict | None:
    """For `context` tokens, with the memory it holds now given back; None where nobody can tell.

    That is so for models of other engines, whose files are not Berth's to read.
    """
    if model.engine != llamacpp.NAME:
        return None
    try:
        file = llamacpp_files.find(model.name)
        shape = _geometry(file.full_path, file.changed)
    except BerthError:
        return None
    now = room_now()
    load = load_of_file(file, StartOptions(context=context))
    return Fitting(shape, load, now.with_more(model.memory_bytes or 0)).verdict


@lru_cache(maxsize=16)
def _geometry(path: Path, changed: str) -> Geometry:
    """The shape as the header tells it; `changed` is another one when the file is."""
    return geometry(gguf.read_model(path))
