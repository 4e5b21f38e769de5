"""All checks of one deployment together: its plan, and everything that stands in its way."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import BadInput, BerthError, NoSpace
from lib.core.settings import settings
from lib.engines.vllm import systemd
from lib.engines.vllm.places import Places, unit_name
from lib.engines.vllm.units import mark_of, read_units
from lib.fit.card_checks import CardRoom
from lib.fit.card_memory import CardVerdict, Serving
from lib.hub import checkpoints
from lib.hub.checkpoints import HubCheckpoint
from lib.machine.cards import Card, Cards
from lib.machine.cards import cards as look_at_cards
from lib.slots import installation, programs
from lib.slots.check import card_choice, disk, model, neighbours, system
from lib.slots.check.disk import Wanted
from lib.slots.engine_settings import EngineSettings, engine_settings
from lib.slots.gateway.phase import gateway_installs, gateway_problems
from lib.slots.installation import VLLM
from lib.slots.plan import PlannedCard, Program, SlotPlan, load_kept, present_text
from lib.slots.request import SlotRequest

SAME_SHARE = 0.05
MOUNTS = Path("/proc/self/mounts")


class Checked(NamedTuple):
    """What was found."""

    plan: SlotPlan | None  # None where the model itself cannot be had
    problems: tuple[BerthError, ...]  # the first decides how the script ends
    notes: tuple[str, ...]  # worth knowing, in nobody's way
    refusal: BerthError | None = None  # why the model itself cannot be had
    found: HubCheckpoint | None = None
    verdict: CardVerdict | None = None


class _Look(NamedTuple):
    """What the machine shows, looked at once."""

    places: Places
    cards: Cards
    extra: EngineSettings


def check(request: SlotRequest, places: Places) -> Checked:
    """Look everything up and change nothing; seconds, most of them the Hub's."""
    problems: list[BerthError] = []
    look = _Look(places, look_at_cards(), _settings(places, problems))
    cards = _cards(request, look.cards, problems)
    found, refusal = _model(request)
    problems += [refusal] if refusal else []
    problems += _machine(request, look, cards)
    unified = [card.name for card in cards if card.is_unified]
    notes = tuple(system.in_words(look.cards.is_wsl, unified))
    if found is None:
        problems += system.compiler()
        return Checked(None, tuple(problems), notes, refusal)
    wanted, rooms = model.serving(request, look.extra.max_num_seqs), _rooms(cards, request, places)
    said = model.verdict(found, wanted, rooms)
    plan = _plan(request, look, cards, found, wanted, said)
    if look.cards.cards:  # a stand-in's room says nothing
        problems += model.fit(found, wanted, rooms, said)
    problems += _programs(plan, look)
    notes += found.checkpoint.notes
    return Checked(plan, tuple(problems), notes, None, found, said)


def _machine(request: SlotRequest, look: _Look, cards: Sequence[Card]) -> Iterator[BerthError]:
    """What is wrong whatever the model is."""
    places, slot = look.places, request.slot
    yield from system.linux()
    yield from system.systemd(places)
    yield from system.rights(places, request.command())
    yield from card_choice.driver(look.cards)
    yield from card_choice.usable(cards)
    yield from neighbours.foreign_service(places, slot)
    yield from neighbours.busy_port(slot, is_running=_runs(slot, places))
    yield from neighbours.same_name(read_units(places), slot, request.model, request.name)


def _programs(plan: SlotPlan, look: _Look) -> Iterator[BerthError]:
    """What is wrong with the disks and programs that the plan needs."""
    full = list(_disks(plan, look.places))
    yield from full
    yield from system.compiler(_python(plan.program, look.places))
    for problem in programs.problems(VLLM, plan.program, look.places, look.cards.cuda):
        if not (full and isinstance(problem, NoSpace)):  # told already, with what else goes there
            yield problem
    yield from gateway_problems(plan.request, look.places)


def _runs(slot: int, places: Places) -> bool:
    """Does Berth's own service of this slot run?"""
    with contextlib.suppress(BerthError):
        return bool(present_text(slot, places)) and systemd.state(unit_name(slot)).is_running
    return False


def _settings(places: Places, problems: list[BerthError]) -> EngineSettings:
    try:
        return engine_settings(places)
    except BerthError as error:
        problems.append(error)
        return EngineSettings()


def _cards(request: SlotRequest, found: Cards, problems: list[BerthError]) -> list[Card]:
    """The slot's cards; stand-ins where there are none, so that the rest can be told."""
    if found.cards:
        try:
            return card_choice.chosen(request, found.cards)
        except BerthError as error:
            problems.append(error)
    names = request.cards or [""] * request.tensor_parallel
    stand_in = card_choice.STAND_IN
    return [stand_in.model_copy(update={"uuid": uuid} if uuid else {}) for uuid in names]


def _model(request: SlotRequest) -> tuple[HubCheckpoint | None, BerthError | None]:
    """The model, or why it cannot be had."""
    try:
        return checkpoints.checkpoint(request.model), None
    except BadInput as error:
        why = f"{request.model} cannot be served. {error.message}"
        return None, type(error)(why, error.fix)
    except BerthError as error:
        return None, error


def _rooms(cards: Sequence[Card], request: SlotRequest, places: Places) -> list[CardRoom]:
    slot = request.slot
    return card_choice.rooms(cards, _given_back(cards, slot, places), promised(places, slot))


def _given_back(cards: Sequence[Card], slot: int, places: Places) -> dict[str, int]:
    """What the slot's own engine holds of each card: it is stopped first.

    Where the driver does not tell of a process how much it holds (in WSL), its share counts.
    """
    share = _share(places.unit(slot))
    return {card.uuid: _held(card, slot, round(share * (card.total_bytes or 0))) for card in cards}


def _held(card: Card, slot: int, promised_bytes: int) -> int:
    """By the processes of the slot's service."""
    own = [process for process in card.processes if neighbours.is_of_slot(process.pid, slot)]
    told = [process.memory_bytes for process in own]
    return promised_bytes if None in told else sum(filter(None, told))


def promised(places: Places, slot: int) -> dict[str, float]:
    """Shares of each card (by UUID) that the units of other slots have."""
    shares: dict[str, float] = {}
    for unit in read_units(places):
        share = _share(places.unit(unit.slot))
        for card in unit.cards if unit.slot != slot else ():
            shares[card] = shares.get(card, 0.0) + share
    return shares


def _share(file: Path) -> float:
    try:
        return float(mark_of(file.read_text(encoding="utf-8")).get("Utilization", "0"))
    except (OSError, ValueError):
        return 0.0


def _plan(
    request: SlotRequest,
    look: _Look,
    cards: Sequence[Card],
    found: HubCheckpoint,
    wanted: Serving,
    said: CardVerdict,
) -> SlotPlan:
    program = programs.vllm(look.places, look.extra.program, look.cards.cuda)
    plan = SlotPlan(
        request=request,
        revision=found.sha,
        files=found.files,
        weights_bytes=said.weights * request.tensor_parallel,
        model_type=found.checkpoint.model_type,
        cards=tuple(map(_planned, cards)),
        program=program,
        context=request.context,
        utilization=said.utilization,
        max_num_seqs=wanted.max_num_seqs,
        needs_half=said.needs_half,
        parsers=model.parsers(found),
        estimate=model.estimate(said),
        installs=tuple(_installs(request, program, look.places)),
        home=str(settings().home),
        made_at=time.time(),
    )
    return as_it_runs(plan, load_kept(look.places, request.slot))


def _installs(request: SlotRequest, program: Program, places: Places) -> Iterator[str]:
    """A sentence for each program that is missing and would come."""
    if not program.is_there:
        yield installation.sentence(VLLM, program)
    yield from gateway_installs(request, places)


def _python(program: Program, places: Places) -> str:
    """The one that runs vLLM, or that it will be installed with."""
    folder = places.root / program.folder.relative_to("/")
    return str(folder / "bin/python") if program.is_there else installation.python_path(VLLM)


def as_it_runs(plan: SlotPlan, kept: SlotPlan | None) -> SlotPlan:
    """The share and context of what runs there, where the same is asked for and nearly the same can
    be had: free memory is never equal twice, and a model that runs is not stopped for a hundredth.
    """
    if kept is None or _essence(kept) != _essence(plan):
        return plan
    if abs(kept.utilization - plan.utilization) > SAME_SHARE:
        return plan
    return plan.model_copy(update={"utilization": kept.utilization, "context": kept.context})


def _essence(plan: SlotPlan) -> tuple[object, ...]:
    """What makes two plans the same deployment."""
    cards = tuple(card.uuid for card in plan.cards)
    return plan.request, plan.revision, cards, plan.program.folder, plan.max_num_seqs, plan.parsers


def _planned(card: Card) -> PlannedCard:
    return PlannedCard(
        index=card.index,
        uuid=card.uuid,
        name=card.name,
        total_bytes=card.total_bytes or 0,
        free_bytes=card.free_bytes or 0,
    )


def _disks(plan: SlotPlan, places: Places) -> Iterator[BerthError]:
    cache = places.cache(plan.slot)
    sizes: Mapping[str, int] = {file.path: file.bytes for file in plan.files}
    missing = disk.missing_bytes(sizes, plan.folder(places))
    program = 0 if plan.program.is_there else installation.NEEDED_BYTES[VLLM]
    yield from disk.short(
        [
            Wanted("the model", plan.folder(places), missing),
            Wanted("vLLM", places.programs, program),
            Wanted("its cache", cache, 0 if cache.exists() else disk.CACHE_BYTES),
        ]
    )
    table = disk.mounts(MOUNTS.read_text(encoding="utf-8", errors="replace"))
    yield from disk.noexec([cache, places.programs], table)
