"""What a load took, beside what it was expected to take: kept for each model, and shown with it."""

import contextlib
import time
from functools import lru_cache

from lib.core.errors import BerthError
from lib.core.files import write_text
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp import files
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.launch import load_of_file
from lib.engines.llamacpp.records import Record, file_of, read
from lib.fit import gguf
from lib.fit.architecture import geometry
from lib.fit.memory import need
from lib.processes.background import held


class Measured(Frozen):
    """One load, in bytes."""

    at: float  # epoch seconds
    options: StartOptions
    expected: int  # with all that it may keep: whole context, prompts, an image
    taken: int  # at that moment
    of_files: int = 0  # of it, pages of the file, which the system takes back where it is short


def look(model: str) -> Measured | None:
    """The most that its run takes, or that the last one took; None where nobody has measured it."""
    record = read(model)
    if record and record.pid and record.context is not None:
        note(record)
    return _kept(model)


def note(record: Record) -> None:
    """Measure a child that is ready, and keep it; comfort, so that no failure stops anybody.

    Less than before in the same run is not kept: one that is dying has given back the most of it.
    """
    with contextlib.suppress(BerthError, OSError, ValueError):
        now = held(record) if record.context is not None else None
        before = _kept(record.model)
        is_same_run = before is not None and before.at >= record.started_at
        if now is None or (before and is_same_run and before.taken >= now.bytes):
            return
        found = Measured(
            at=time.time(),
            options=record.options,
            expected=expected(files.find(record.model), record.options),
            taken=now.bytes,
            of_files=now.of_files,
        )
        write_text(file_of(record.model, "memory"), found.model_dump_json())


def _kept(model: str) -> Measured | None:
    with contextlib.suppress(OSError, ValueError):
        return Measured.model_validate_json(file_of(model, "memory").read_bytes())
    return None


@lru_cache(maxsize=64)
def expected(file: ModelFile, options: StartOptions) -> int:
    """Bytes that a load is estimated to need. The header is read once: that can take 0.3 s.

    BrokenFile where it does not tell.
    """
    shape = geometry(gguf.read_model(file.full_path))
    return need(shape, load_of_file(file, options)).total
