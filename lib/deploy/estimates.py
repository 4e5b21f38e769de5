"""How much memory a planned model takes: by Berth's own arithmetic, and by the engine's own plan.

Where our arithmetic has not been held against the engine for this kind of model, or cannot be made,
the engine's figures stand in its place, and it is said.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lib import hub
from lib.core.errors import BerthError, BrokenFile
from lib.core.names import shown
from lib.deploy.shapes import PlannedFile
from lib.deploy.source import Source
from lib.download.hub_files import folder_of
from lib.engines.llamacpp import oracle
from lib.engines.llamacpp.oracle import Breakdown
from lib.engines.llamacpp.projector import in_memory
from lib.fit.architecture import Geometry, geometry, weights_alone
from lib.fit.engine_tables import CHECKED
from lib.fit.file_names import Variant
from lib.fit.fitting import Fitting
from lib.fit.gguf import Header
from lib.fit.image_work import Projector, described
from lib.fit.memory import Load

NOT_KNOWN = "Not estimated: Berth cannot tell what a token costs in models of the kind “{}”."
ITS_OWN = "These figures are the engine's own plan."
FILE_ALONE = "Only the file itself is counted."
LONGEST_BEGINNING = 24 * 2**20  # a larger header is not worth a second download


class Asked(NamedTuple):
    """A fitting with the engine's own plan, where it was asked for one and had one."""

    fitting: Fitting
    plan: Breakdown | None = None
    note: str = ""  # why the figures are not Berth's own, or that they are not whole


def shape(header: Header) -> Geometry:
    """What the header tells; of a kind of model that we do not know, perhaps the weights alone.

    BrokenFile for one that we do know.
    """
    try:
        return geometry(header)
    except BrokenFile:
        if header.architecture in CHECKED:
            raise
        return weights_alone(header)


def projector(source: Source, file: PlannedFile | None) -> Projector | None:
    """What seeing takes in memory, by the projector's own header where it can be read."""
    if file is None:
        return None
    if not source.card:
        return in_memory(Path(file.path))
    with contextlib.suppress(BerthError):
        whole = Variant(quantization="", paths=(file.path,), bytes=file.bytes)
        return described(hub.header(source.card, whole), file.bytes)
    return Projector(bytes=file.bytes)


def asked(source: Source, variant: Variant, fitting: Fitting, *, ask_engine: bool) -> Asked:
    """The fitting, with the engine's plan where that was wished for or is needed."""
    header = source.header_of(variant)
    is_ours = header.architecture in CHECKED and not header.unknown_types
    is_ours = is_ours and fitting.model.is_estimated and not fitting.load.reads
    plan = engine_plan(source, variant, fitting.load) if ask_engine or not is_ours else None
    if is_ours:
        return Asked(fitting, plan)
    known = "" if fitting.model.is_estimated else NOT_KNOWN.format(shown(header.architecture))
    if plan is None:
        return Asked(fitting, None, f"{known} {FILE_ALONE}" if known else "")
    return Asked(_planned(fitting, plan), plan, f"{known} {ITS_OWN}".strip())


def corrected(
    source: Source, fittings: Mapping[Variant, Fitting], chosen: Variant, asked: Asked
) -> dict[Variant, Fitting]:
    """All variants of the same shape with what the engine's plan of the chosen one has taught."""
    _, cache, working = asked.fitting.model.correction
    if not (cache or working):
        return {**fittings, chosen: asked.fitting}
    header = source.header_of(chosen)
    more = {"correction": (0, cache, working)}
    return {
        variant: fitting._replace(model=fitting.model.model_copy(update=more))
        if source.header_of(variant) is header
        else fitting
        for variant, fitting in fittings.items()
    } | {chosen: asked.fitting}


def _planned(fitting: Fitting, plan: Breakdown) -> Fitting:
    """With the engine's figures in place of ours, as far as they differ for this load."""
    ours = fitting.need
    weights, cache = plan.model - ours.weights, plan.context - ours.kv_cache
    more = {"correction": (weights, cache, plan.compute - ours.compute)}
    return fitting._replace(model=fitting.model.model_copy(update=more))


def engine_plan(source: Source, variant: Variant, load: Load) -> Breakdown | None:
    """What the engine would allocate; None where it cannot tell, or not soon."""
    with contextlib.suppress(BerthError, OSError):
        header = _header(source, variant)
        return oracle.ask(header, lambda: _beginning(source, variant, header.data_offset), load)
    return None


def _header(source: Source, variant: Variant) -> Header:
    return hub.header(source.card, variant) if source.card else source.header


def _beginning(source: Source, variant: Variant, count: int) -> bytes:
    """From the disk where the file is there already; BrokenFile where it is too long to fetch."""
    folder = folder_of(source.card.id, source.card.sha) if source.card else Path()
    path = folder / variant.first
    if source.card and not path.is_file():
        if count > LONGEST_BEGINNING:
            raise BrokenFile(f"The header has {count:,} bytes.", "Choose another file.")
        return hub.beginning(source.card, variant, count)
    with path.open("rb") as file:
        return file.read(count)
