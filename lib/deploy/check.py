"""The built-in engine's own figures for a planned model, beside those of lib/fit/memory.py."""

import contextlib
from pathlib import Path

from lib import hub
from lib.core.errors import BerthError
from lib.deploy.sources import Source
from lib.download.hub_files import folder_of
from lib.engines.llamacpp import oracle
from lib.engines.llamacpp.oracle import Breakdown
from lib.fit.file_names import Variant
from lib.fit.gguf import Header
from lib.fit.memory import Load

LONGEST_BEGINNING = 24 * 2**20  # a larger header is not worth a second download


def engine_plan(source: Source, variant: Variant, load: Load) -> Breakdown | None:
    """What the engine would allocate; None where it cannot tell, or not soon."""
    with contextlib.suppress(BerthError, OSError):
        header = _header(source, variant)
        if header.data_offset <= LONGEST_BEGINNING:
            return oracle.ask(header, _beginning(source, variant, header.data_offset), load)
    return None


def _header(source: Source, variant: Variant) -> Header:
    return hub.header(source.card, variant) if source.card else source.header


def _beginning(source: Source, variant: Variant, count: int) -> bytes:
    """From the disk where the file is there already."""
    folder = folder_of(source.card.id, source.card.sha) if source.card else Path()
    path = folder / variant.first
    if source.card and not path.is_file():
        return hub.beginning(source.card, variant, count)
    with path.open("rb") as file:
        return file.read(count)
