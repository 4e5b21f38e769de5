"""What a load took, beside what it was expected to take: kept for each model, and shown with it."""

import contextlib
import time

from lib.core.errors import BerthError
from lib.core.files import write_text
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp import files
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
    """What the model takes now, or took when it last ran; None where nobody has measured it."""
    record = read(model)
    if record and record.pid and record.context is not None:
        note(record)
    with contextlib.suppress(OSError, ValueError):
        return Measured.model_validate_json(file_of(model, "memory").read_bytes())
    return None


def note(record: Record) -> None:
    """Measure a child that is ready, and keep it; comfort, so that no failure stops anybody."""
    with contextlib.suppress(BerthError, OSError, ValueError):
        now = held(record) if record.context is not None else None
        if now:
            found = Measured(
                at=time.time(),
                options=record.options,
                expected=_expected(record),
                taken=now.bytes,
                of_files=now.of_files,
            )
            write_text(file_of(record.model, "memory"), found.model_dump_json())


def _expected(record: Record) -> int:
    file = files.find(record.model)
    shape = geometry(gguf.read_model(file.full_path))
    return need(shape, load_of_file(file, record.options)).total
