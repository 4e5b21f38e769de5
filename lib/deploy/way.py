"""How a model's files get to its engine, and the disk they take."""

from pathlib import Path
from typing import NamedTuple

from lib.core.names import slug
from lib.core.settings import HUB, settings
from lib.deploy import disk, engines
from lib.deploy.ollama_names import own_name, pull_name
from lib.deploy.request import EngineWish
from lib.deploy.shapes import Disk, EngineChoice, PlannedFile
from lib.deploy.source import Source
from lib.download.hub_files import folder_of
from lib.engines.base import KvType
from lib.engines.llamacpp.stores import is_blob
from lib.fit.file_names import Variant
from lib.fit.kinds import Task, task_of
from lib.hub import Card


class Way(NamedTuple):
    """What of Plan depends on the engine."""

    engine: EngineChoice
    files: tuple[PlannedFile, ...]
    projector: PlannedFile | None
    name: str  # in Ollama
    is_pulled: bool
    is_installed: bool
    disk: Disk


def choose(wish: EngineWish, source: Source, variant: Variant, kv_type: KvType = "f16") -> Way:
    """Ollama pulls what it can by itself; anything else Berth fetches, and gives to the engine."""
    objection = _objection(source, variant)
    worse = "" if kv_type == "f16" else "Ollama's server alone decides how caches are stored."
    engine = engines.choose(wish, objection or worse)
    files, projector = source.files(variant), source.projector(variant)
    if projector and (objection or engine.name == "llamacpp"):
        files = (*files, projector)
    here = _for_files(source, files)
    if engine.name == "llamacpp":
        return Way(
            engine, files, projector, "", is_pulled=False, is_installed=not here.needed, disk=here
        )
    name = _ollama_name(source, variant, is_pulled=not objection)
    is_installed = disk.is_in_ollama(name)
    stored_bytes = variant.bytes + (projector.bytes if projector else 0)
    room = disk.for_ollama(0 if is_installed else stored_bytes)
    if source.card and objection and not is_installed:  # for a while there are two copies
        room = room.model_copy(update={"needed": room.needed + here.needed, "kept": here.kept})
    return Way(engine, files, projector, name, not objection, is_installed, room)


def _for_files(source: Source, files: tuple[PlannedFile, ...]) -> Disk:
    if source.card is None:
        return disk.for_fetching((), settings().models)
    return disk.for_fetching(files, folder_of(source.card.id, source.card.sha))


def _ollama_name(source: Source, variant: Variant, *, is_pulled: bool) -> str:
    if source.library:
        return source.library.name
    if source.card is None or source.contents is None:
        stem = variant.title if is_blob(Path(variant.first)) else variant.stem
        return f"{slug(stem).lower()}:latest"
    if is_pulled:
        return pull_name(source.card, source.contents, variant)
    return own_name(source.card, source.contents, variant, is_main=source.is_main)


def _objection(source: Source, variant: Variant) -> str:
    """Why Ollama cannot fetch these files by itself; "" where it can."""
    if source.library:
        return ""
    if task_of(source.header_of(variant)) == Task.RANKING:
        return "Ollama does not rank texts."
    if source.card is None or source.contents is None:
        return "Ollama would store a second copy of the file."
    return _objection_to_pull(source.card, source, variant)


def _objection_to_pull(card: Card, source: Source, variant: Variant) -> str:
    """The same for a file of the Hub."""
    if variant.is_divided:
        return f"{variant.title} is divided into files, which Ollama cannot pull."
    if card.gated or card.is_private:
        return f"Ollama does not use the Hub token that {card.id} asks for."
    if settings().hf_endpoint != HUB:
        return "Ollama does not use HF_ENDPOINT."
    if not source.is_main:
        return "Ollama pulls the main branch alone."
    if source.contents is None or not pull_name(card, source.contents, variant):
        return f"Ollama has no name that means {variant.title} and nothing else."
    return ""
