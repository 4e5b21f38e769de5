"""What deploying a model would do."""

from functools import cache
from pathlib import Path

from lib.core import words
from lib.deploy import disk, engines, running, sources, way
from lib.deploy.check import engine_plan
from lib.deploy.request import DeployRequest
from lib.deploy.shapes import Plan, PlannedFile, Row
from lib.deploy.sources import Source
from lib.engines.base import StartOptions
from lib.engines.llamacpp.launch import DEFAULT_CONTEXT, UNKNOWN_CONTEXT
from lib.fit.architecture import Geometry, geometry
from lib.fit.memory import (
    COMFORTABLE,
    FULL,
    Choice,
    Load,
    Need,
    Room,
    choices,
    largest_context,
    need,
    recommend,
    room_now,
    tokens_per_second,
    verdict,
)
from lib.fit.quantizations import Variant, note
from lib.machine.bandwidth import read_bandwidth


def plan(request: DeployRequest, room: Room | None = None, *, ask_engine: bool = False) -> Plan:
    """Look everything up and change nothing.

    `ask_engine` adds the built-in engine's own figures, which takes up to some seconds. Errors:
    those of the Hub, BrokenFile, BadInput, EngineError. A model that does not fit is no error here.
    """
    machine = room or room_now()
    source = _source(request)
    model = geometry(source.header)
    chosen, load = _chosen(request, source, model, machine)
    held = running.held_bytes(source, chosen)
    if held:
        machine = machine.model_copy(update={"free_bytes": machine.free_bytes + held})
        same = request.model_copy(update={"quantization": chosen.quantization})
        chosen, load = _chosen(same, source, model, machine)
    how = way.choose(request.engine, source, chosen)
    needed = need(model.stored_in(chosen.bytes), load)
    return Plan(
        model=request.model,
        engine=how.engine,
        tier=source.tier,
        source=f"{source.sentence} {_sight(how.projector, needed)}".strip(),
        repository=source.card.id if source.card else "",
        revision=source.card.sha if source.card else "",
        files=how.files,
        projector=how.projector,
        name=how.name,
        is_pulled=how.is_pulled,
        is_installed=how.is_installed,
        quantization=chosen.quantization,
        context=load.context,
        context_trained=model.context_length,
        slots=load.slots,
        need=needed,
        verdict=verdict(model.stored_in(chosen.bytes), load, machine),
        room=machine,
        tokens_per_second=tokens_per_second(model.stored_in(chosen.bytes), load, _bandwidth()),
        rows=tuple(_rows(source.variants, model, load, machine)),
        disk=how.disk,
        removable=disk.removable() if how.disk.is_short else (),
        engine_plan=engine_plan(source, chosen, load) if ask_engine else None,
        warnings=tuple(_warnings(request, source, chosen)),
    )


def _sight(projector: PlannedFile | None, needed: Need) -> str:
    """What seeing takes, where it sees."""
    if projector is None:
        return ""
    file = f"{Path(projector.path).name} ({words.disk(projector.bytes)})"
    return f"{file} lets it see images, for about {words.memory(needed.projector)} of memory."


def _source(request: DeployRequest) -> Source:
    if request.is_file:
        return sources.of_file(Path(request.model))
    has_ollama = engines.choose(request.engine).name == "ollama"
    return sources.of_repository(request.model, request.quantization, has_ollama=has_ollama)


def _chosen(
    request: DeployRequest, source: Source, model: Geometry, room: Room
) -> tuple[Variant, Load]:
    """What was asked for; for the rest, the best that fits comfortably."""
    load = _load(request, source, model)
    variants = [v for v in source.variants if request.quantization in ("", v.quantization)]
    offered = choices(variants, model, load, room)
    best = recommend(offered) or min(offered, key=_by_fairness)
    variant = best.variant
    if not request.context:
        load = _comfortable(model.stored_in(variant.bytes), load, room)
    return variant, load


def _by_fairness(choice: Choice) -> tuple[bool, int]:
    """The smallest of those that are not poor."""
    return choice.is_poor, choice.variant.bytes


def _load(request: DeployRequest, source: Source, model: Geometry) -> Load:
    """As it was asked for; with a projector, which all variants share."""
    projector = source.projector(source.variants[0])
    trained = model.context_length
    usual = min(DEFAULT_CONTEXT, trained) if trained else UNKNOWN_CONTEXT
    context = request.context or usual
    return Load(
        context=min(context, trained or context),
        slots=request.slots,
        prompt_cache_bytes=StartOptions().prompt_cache_mib * 2**20,
        projector_bytes=projector.bytes if projector else 0,
    )


def _comfortable(model: Geometry, load: Load, room: Room) -> Load:
    """The same with as much less context as it takes to leave other programs some room."""
    for share in (COMFORTABLE, FULL):
        context = _context_within(share, model, load, room)
        if context:
            return load.model_copy(update={"context": context})
    return load


def _context_within(share: float, model: Geometry, load: Load, room: Room) -> int:
    """The longest context, up to the load's own, that takes this share of the free memory."""
    if need(model, load).total <= share * room.free_bytes:
        return load.context
    return min(load.context, largest_context(model, load, int(room.free_bytes * share / FULL)))


def _rows(variants: list[Variant], model: Geometry, load: Load, room: Room) -> list[Row]:
    offered = choices(variants, model, load, room)
    best = recommend(offered)
    return [_row(choice, model, load, room, choice is best) for choice in offered]


def _row(choice: Choice, model: Geometry, load: Load, room: Room, is_recommended: bool) -> Row:
    variant = choice.variant
    stored = model.stored_in(variant.bytes)
    return Row(
        quantization=variant.quantization,
        note=note(variant.quantization),
        bytes=variant.bytes,
        files=variant.paths,
        need=choice.verdict.need,
        verdict=choice.verdict,
        comfortable_context=_context_within(COMFORTABLE, stored, load, room),
        tokens_per_second=tokens_per_second(stored, load, _bandwidth()),
        is_recommended=is_recommended,
        is_poor=choice.is_poor,
    )


def _warnings(request: DeployRequest, source: Source, variant: Variant) -> list[str]:
    trained = source.header.context_length
    found = []
    if source.header.chat_template is None:
        found.append("It has no chat template, so it can only continue a text.")
    if note(variant.quantization).startswith("Poor"):
        found.append(f"{variant.quantization} is stored so coarsely that answers suffer.")
    if request.context and trained and request.context > trained:
        found.append(f"It was trained for a context of {trained:,}: no more is used.")
    if source.card and source.card.is_stale:
        found.append(f"The Hub does not answer; this is from {words.ago(source.card.checked_at)}.")
    return found


@cache
def _bandwidth() -> float:
    """Bytes a second, measured once in a process."""
    return read_bandwidth()
