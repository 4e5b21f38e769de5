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
from lib.engines.llamacpp.launch import load_of
from lib.fit.architecture import geometry
from lib.fit.fitting import Fitting
from lib.fit.memory import COMFORTABLE, Choice, Load, Need, Room, recommend, room_now
from lib.fit.quantizations import Variant, note
from lib.machine.bandwidth import read_bandwidth


def plan(request: DeployRequest, room: Room | None = None, *, ask_engine: bool = False) -> Plan:
    """Look everything up and change nothing.

    `ask_engine` adds the built-in engine's own figures, which takes up to some seconds. Errors:
    those of the Hub, BrokenFile, BadInput, EngineError. A model that does not fit is no error here.
    """
    source = _source(request)
    asked = Fitting(geometry(source.header), _load(request, source), room or room_now())
    chosen = _chosen(request.quantization, source, asked)
    held = running.held_bytes(source, chosen)
    if held:
        asked = asked._replace(room=asked.room.with_more(held))
        chosen = _chosen(chosen.quantization, source, asked)
    fitting = asked.stored_in(chosen)
    if not request.context:
        fitting = fitting.made_comfortable()
    how = way.choose(request.engine, source, chosen)
    return Plan(
        model=request.model,
        engine=how.engine,
        tier=source.tier,
        source=f"{source.sentence} {_sight(how.projector, fitting.need)}".strip(),
        repository=source.card.id if source.card else "",
        revision=source.card.sha if source.card else "",
        files=how.files,
        projector=how.projector,
        name=how.name,
        is_pulled=how.is_pulled,
        is_installed=how.is_installed,
        quantization=chosen.quantization,
        context=fitting.load.context,
        context_trained=fitting.model.context_length,
        slots=fitting.load.slots,
        need=fitting.need,
        verdict=fitting.verdict,
        room=fitting.room,
        tokens_per_second=fitting.tokens_per_second(_bandwidth()),
        rows=tuple(_rows(source.variants, asked._replace(load=fitting.load))),
        disk=how.disk,
        removable=disk.removable() if how.disk.is_short else (),
        engine_plan=engine_plan(source, chosen, fitting.load) if ask_engine else None,
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


def _load(request: DeployRequest, source: Source) -> Load:
    """As it was asked for; with a projector, which all variants share."""
    projector = source.projector(source.variants[0])
    options = StartOptions(context=request.context, slots=request.slots)
    return load_of(options, source.header.context_length, projector.bytes if projector else 0)


def _chosen(quantization: str, source: Source, asked: Fitting) -> Variant:
    """What was asked for; without a wish, the best that fits comfortably."""
    offered = asked.choices([v for v in source.variants if quantization in ("", v.quantization)])
    best = recommend(offered) or min(offered, key=_by_fairness)
    return best.variant


def _by_fairness(choice: Choice) -> tuple[bool, int]:
    """The smallest of those that are not poor."""
    return choice.is_poor, choice.variant.bytes


def _rows(variants: list[Variant], asked: Fitting) -> list[Row]:
    offered = asked.choices(variants)
    best = recommend(offered)
    return [_row(choice, asked.stored_in(choice.variant), choice is best) for choice in offered]


def _row(choice: Choice, fitting: Fitting, is_recommended: bool) -> Row:
    variant = choice.variant
    return Row(
        quantization=variant.quantization,
        note=note(variant.quantization),
        bytes=variant.bytes,
        files=variant.paths,
        need=choice.verdict.need,
        verdict=choice.verdict,
        comfortable_context=fitting.context_within(COMFORTABLE),
        tokens_per_second=fitting.tokens_per_second(_bandwidth()),
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
