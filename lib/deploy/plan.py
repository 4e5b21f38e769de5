"""What deploying a model would do."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core import words
from lib.deploy import disk, engines, estimates, local_sources, runnable, running, sources, way
from lib.deploy.request import DeployRequest
from lib.deploy.shapes import Plan, PlannedFile, Row
from lib.deploy.source import Source
from lib.deploy.wish import Wish, offered
from lib.engines.base import StartOptions
from lib.engines.llamacpp.launch import load_of
from lib.engines.room import room_now
from lib.fit.architecture import Geometry
from lib.fit.file_names import Variant
from lib.fit.fitting import Fitting
from lib.fit.gguf import Header
from lib.fit.kinds import reads_at_once, task_of
from lib.fit.memory import COMFORTABLE, Choice, Load, Room, Verdict, recommend
from lib.fit.quantizations import note
from lib.machine import bandwidth

SMALLER_CACHE = "q8_0"
SMALLER = "It sees images of about one megapixel; larger ones are made smaller for it."


def plan(request: DeployRequest, room: Room | None = None, *, ask_engine: bool = False) -> Plan:
    """Look everything up and change nothing.

    `ask_engine` adds the built-in engine's own figures, which takes up to some seconds. Errors:
    those of the Hub, BrokenFile, BadInput, EngineError. A model that does not fit is no error here.
    """
    return _written(request, _worked_out(request, room, ask_engine=ask_engine))


class Judged(NamedTuple):
    """What was judged, and how."""

    fitting: Fitting
    choice: Choice


class _Work(NamedTuple):
    """What a plan is written from."""

    source: Source
    fittings: Mapping[Variant, Fitting]
    judged: Mapping[Variant, Judged]
    chosen: Variant
    how: way.Way
    header: Header
    asked: estimates.Asked
    speed: float  # bytes a second

    @property
    def fitting(self) -> Fitting:
        """The chosen variant's, as the engine would load it."""
        return self.asked.fitting


def _worked_out(request: DeployRequest, room: Room | None, *, ask_engine: bool) -> _Work:
    source = _source(request)
    load, speed = _load(request, source), bandwidth.of_this_machine()
    source, judged, chosen = _settled(source, load, room or room_now(), speed)
    fittings = {variant: one.fitting for variant, one in judged.items()}
    held = running.held_bytes(source, chosen)
    if held:
        fittings = {v: f._replace(room=f.room.with_more(held)) for v, f in fittings.items()}
    how = way.choose(request.engine, source, chosen, request.kv_type)
    header = source.header_of(chosen)
    runnable.require(Path(chosen.first).name, header, how.engine)
    fitting = fittings[chosen]
    if not request.context:
        fitting = fitting.made_comfortable()
    asked = estimates.asked(source, chosen, fitting, ask_engine=ask_engine)
    fittings = estimates.corrected(source, fittings, chosen, asked)
    said = asked if ask_engine else asked._replace(plan=None)  # else it was needed, not wished for
    return _Work(source, fittings, judged, chosen, how, header, said, speed)


def _written(request: DeployRequest, work: _Work) -> Plan:
    source, chosen, how, header = work.source, work.chosen, work.how, work.header
    fitting, asked = work.fitting, work.asked
    return Plan(
        model=request.model,
        engine=how.engine,
        tier=source.tier,
        source=f"{source.sentence} {_sight(how.projector, fitting)}".strip(),
        repository=source.card.id if source.card else "",
        revision=source.card.sha if source.card else "",
        files=how.files,
        projector=how.projector,
        name=how.name,
        is_pulled=how.is_pulled,
        is_installed=how.is_installed,
        title=chosen.title,
        quantization=_quantization(source, chosen),
        architecture=header.architecture,
        parameters=header.parameters,
        task=task_of(header),
        context=fitting.load.context,
        context_trained=fitting.model.context_length,
        slots=fitting.load.slots,
        kv_type=request.kv_type,
        fits_with_smaller_cache=_fits_with_smaller_cache(fitting),
        need=fitting.need,
        verdict=fitting.verdict,
        room=fitting.room,
        tokens_per_second=fitting.tokens_per_second(work.speed),
        is_speed_rough=bandwidth.known().is_rough,
        rows=tuple(_rows(work)),
        disk=how.disk,
        removable=disk.removable() if how.disk.is_short else (),
        engine_plan=asked.plan,
        estimate=asked.note,
        warnings=(
            *runnable.warnings(chosen.first, header, how.engine),
            *_warnings(request, source, chosen),
        ),
    )


def _sight(projector: PlannedFile | None, fitting: Fitting) -> str:
    """What seeing takes, where it sees."""
    if projector is None:
        return ""
    file = f"{Path(projector.path).name} ({words.disk(projector.bytes)})"
    takes = words.memory(fitting.need.projector)
    said = f"{file} lets it see images, for about {takes} of memory."
    seen_by = fitting.load.projector
    return f"{said} {SMALLER}" if seen_by and seen_by.limits_images else said


def _source(request: DeployRequest) -> Source:
    if request.is_file:
        return local_sources.of_path(Path(request.model), request.quantization)
    has_ollama = engines.choose(request.engine).name == "ollama"
    wish = Wish(request.quantization, request.file, request.revision)
    return sources.of_repository(request.model, wish, has_ollama=has_ollama)


def _load(request: DeployRequest, source: Source) -> Load:
    """As it was asked for; with a projector, which all variants share."""
    seen_by = estimates.projector(source, source.projector(source.choosable[0]))
    options = StartOptions(context=request.context, slots=request.slots, kv_type=request.kv_type)
    trained, header = source.header.context_length, source.header
    return load_of(options, trained, seen_by, task_of(header), reads_at_once(header))


def _fittings(source: Source, load: Load, room: Room) -> dict[Variant, Fitting]:
    """Every variant with the shape that its own header, or one alike, tells of."""
    shapes: dict[int, Geometry] = {}
    fittings = {}
    for variant in source.variants:
        header = source.header_of(variant)
        if id(header) not in shapes:
            shapes[id(header)] = estimates.shape(header)
        fittings[variant] = Fitting(shapes[id(header)].stored_in(variant.bytes), load, room)
    return fittings


def _settled(
    source: Source, load: Load, room: Room, speed: float
) -> tuple[Source, dict[Variant, Judged], Variant]:
    """What is chosen, judged by its own header: one that nobody has read yet may change that."""
    while True:
        fittings = _fittings(source, load, room)
        judged = {v: Judged(fitting, _choice(v, fitting, speed)) for v, fitting in fittings.items()}
        chosen = _chosen([judged[variant].choice for variant in _able(source)])
        more = sources.with_header_of(source, chosen)
        if more is source:
            return source, judged, chosen
        source = more


def _able(source: Source) -> list[Variant]:
    """Of what was asked for, the models that can be run here; all where none can."""
    unable = _unable(source)
    if not unable:
        return source.choosable
    able = [v for v in source.choosable if id(source.header_of(v)) not in unable]
    return able or source.choosable


def _unable(source: Source) -> set[int]:
    """The headers of models that cannot be run here; many variants share one."""
    headers = (source.header, *source.headers.values())
    return {id(header) for header in headers if runnable.objection("", header)}


def _chosen(choices: Sequence[Choice]) -> Variant:
    """The best of these that fits comfortably."""
    best = recommend(choices) or min(choices, key=_by_fairness)
    return best.variant


def _choice(variant: Variant, fitting: Fitting, speed: float) -> Choice:
    writes = fitting.tokens_per_second(speed)
    return Choice(variant=variant, verdict=fitting.verdict, speed=writes)


def _fits_with_smaller_cache(fitting: Fitting) -> bool:
    """Would it do to store the conversation in half the bytes?"""
    if fitting.verdict.fits or fitting.load.kv_type != "f16":
        return False
    load = fitting.load.model_copy(update={"kv_type": SMALLER_CACHE})
    return fitting._replace(load=load).verdict.fits


def _by_fairness(choice: Choice) -> tuple[bool, int]:
    """The smallest of those that are not poor."""
    return choice.is_poor, choice.variant.bytes


def _rows(work: _Work) -> list[Row]:
    """All variants, with the context that the chosen one has."""
    source, load = work.source, work.fitting.load
    choices = {variant: _choice_again(work, variant, load) for variant in work.fittings}
    best = recommend([choices[variant].choice for variant in _able(source._replace(meant=()))])
    unable = _unable(source)
    return [_row(source, judged, judged.choice is best, unable) for judged in choices.values()]


def _choice_again(work: _Work, variant: Variant, load: Load) -> Judged:
    """As it was judged before, unless the context or the engine's plan have changed that."""
    known, fitting = work.judged[variant], work.fittings[variant]
    fitting = fitting if fitting.load is load else fitting._replace(load=load)
    if known.fitting == fitting:
        return known
    return Judged(fitting, _choice(variant, fitting, work.speed))


def _row(source: Source, judged: Judged, is_recommended: bool, unable: Container[int]) -> Row:
    fitting, choice = judged
    variant, header = choice.variant, source.header_of(choice.variant)
    stored_as = header.quantization if source.is_read(variant) else ""
    return Row(
        name=variant.title,
        quantization=variant.quantization or variant.title,
        type=stored_as,
        note="Cannot be run here" if id(header) in unable else _note(variant, stored_as, header),
        bytes=variant.bytes,
        files=variant.paths,
        need=choice.verdict.need,
        verdict=choice.verdict,
        comfortable_context=_comfortable_context(choice.verdict, fitting),
        tokens_per_second=choice.speed,
        is_recommended=is_recommended,
        is_poor=choice.is_poor,
    )


def _comfortable_context(verdict: Verdict, fitting: Fitting) -> int:
    if verdict.fits and not verdict.is_tight:
        return fitting.load.context
    return fitting.context_within(COMFORTABLE)


def _note(variant: Variant, stored_as: str, header: Header) -> str:
    """What to expect of its quality; that nobody knows, where that is so."""
    if header.architecture == "gpt-oss" and variant.quantization == "MXFP4":
        return note("F16")  # its experts are published so, and left so by every quantization
    if variant.is_known:
        return note(variant.quantization)
    known = [f"stored as {stored_as}"] if stored_as else []
    known += [f"about {variant.bits:.1f} bits a weight"] if variant.bits else []
    return ", ".join(["Quality unknown", *known])


def _quantization(source: Source, variant: Variant) -> str:
    """As its name tells it; for a file of this machine, what is known at all."""
    return variant.quantization if source.card is None else variant.quantization or variant.title


def _warnings(request: DeployRequest, source: Source, variant: Variant) -> list[str]:
    trained = source.header.context_length
    found = []
    if note(variant.quantization).startswith("Poor"):
        found.append(f"{variant.quantization} is stored so coarsely that answers suffer.")
    if len(source.meant) > 1 and request.wish:
        found.append(
            f"“{request.wish}” may mean {offered(source.meant)}: {variant.title} is chosen."
        )
    if request.context and trained and request.context > trained:
        found.append(f"It was trained for a context of {trained:,}: no more is used.")
    if source.card and source.card.is_stale:
        found.append(f"The Hub does not answer; this is from {words.ago(source.card.checked_at)}.")
    return found
