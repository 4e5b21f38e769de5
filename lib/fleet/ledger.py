"""The one ledger of this machine's memory: what each model takes or will take, whoever loads it.

A load is judged before it begins, and noted while it lasts, see lib/engines/room.py: what is being
loaded is not in the system's figure of free memory yet.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

from lib.core.access import Role, role
from lib.core.errors import BerthError, DoesNotFit
from lib.core.files import make_private
from lib.core.locks import locked
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.core.words import listed, memory
from lib.engines import all_models, llamacpp, ollama, room
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import measured, program, records
from lib.engines.llamacpp.work import work_of
from lib.fit.memory import FULL
from lib.fleet import rules, use
from lib.machine.holders import holders

# Of a model whose file cannot be looked into: its cache and working memory, beside its weights.
BESIDE_WEIGHTS = 0.2
LEAST_BESIDE_BYTES = 300 * 2**20
WORTH_NAMING, MOST_NAMED = 2**29, 3  # bytes that a foreign program holds, and programs
ASK = "Ask the owner of this machine to make room, or choose another model."


class Judgement(Frozen):
    """Whether there is room for a load, and if not, what would make it."""

    model: str
    options: StartOptions
    needed: int
    free: int  # with what loads that are under way will still take taken off
    has_room: bool
    would_go: tuple[Model, ...] = ()  # that would be enough: least lately used first
    in_the_way: tuple[str, ...] = ()  # that run and stay, each with the reason

    @property
    def objection(self) -> "NoRoom":
        """Why not, and what to do."""
        return NoRoom(self)


class NoRoom(DoesNotFit):
    """There is no room for a load with these options; `would_go` are the models that could go."""

    def __init__(self, judged: Judgement) -> None:
        is_guest = role() != Role.OWNER
        self.options = judged.options
        self.would_go = () if is_guest else tuple(model.name for model in judged.would_go)
        super().__init__(
            f"“{judged.model}” needs about {memory(judged.needed)} of memory, and"
            f" {memory(judged.free)} are free.",
            ASK if is_guest else _advice(judged),
        )


def needed_bytes(model: Model, options: StartOptions) -> int:
    """Memory that loading the model with these options takes; 0 where it is being loaded so, or is.

    That of a graphics card or of another machine is not what the others want. What an earlier
    load of the model took beyond its estimate is added to this one's.
    """
    if model.place or (_is_loaded(model) and not _is_to_be_loaded_anew(model, options)):
        return 0
    if model.engine == llamacpp.NAME:
        if _may_use_a_card():  # how much of it the card takes is the program's own business
            return _taken_before(model, options)
        with contextlib.suppress(BerthError, OSError):
            return room.of_file(model, options)
    return rough_bytes(model.size_bytes or 0)


def rough_bytes(size_bytes: int) -> int:
    """Memory that a model takes, by its files' size alone."""
    return size_bytes + max(round(BESIDE_WEIGHTS * size_bytes), LEAST_BESIDE_BYTES)


def judge(model: Model, options: StartOptions, models: Sequence[Model] | None = None) -> Judgement:
    """Is there room for this load now? Reads, and changes nothing."""
    needed = needed_bytes(model, options)
    every = all_models() if models is None else models
    free = room.free_bytes(every, but=model)
    if needed and _is_loaded(model):
        free += room.given_back(model)
    has_room = not needed or needed <= FULL * free or _judges_itself(model)
    judged = Judgement(
        model=model.name, options=options, needed=needed, free=max(free, 0), has_room=has_room
    )
    return judged if has_room else _short(judged, model, every, free)


def _short(judged: Judgement, model: Model, every: Sequence[Model], free: int) -> Judgement:
    """With what would make room, and what is in the way; `free` may be less than nothing."""
    running = [m for m in every if room.is_in_memory(m) and m.key != model.key]
    reasons = {m.name: reason for m in running if (reason := _stays(m))}
    able = sorted((m for m in running if m.name not in reasons), key=_last_used)
    more = {
        "would_go": _enough(able, judged.needed, free),
        "in_the_way": tuple(f"{name} {reason}" for name, reason in reasons.items()),
    }
    return judged.model_copy(update=more)


@contextlib.contextmanager
def admitted(model: Model, options: StartOptions) -> Iterator[None]:
    """Within it the model is loaded; NoRoom where there is none for it."""
    with contextlib.ExitStack() as loading:
        with locked(make_private(settings().engines) / ".ledger.lock"):
            judged = judge(model, options)
            if not judged.has_room:
                raise judged.objection
            if judged.needed:
                loading.enter_context(room.noted(model, judged.needed))
        yield


def _is_loaded(model: Model) -> bool:
    return model.state in (State.READY, State.STARTING)


def _is_to_be_loaded_anew(model: Model, options: StartOptions) -> bool:
    """Its engine ends one that runs with other options, and loads it with these."""
    record = records.read(model.name) if model.engine == llamacpp.NAME else None
    return record is not None and record.options != options


def _judges_itself(model: Model) -> bool:
    """Ollama makes room among its own, uses what cards there are, and refuses what is too much."""
    return model.engine == ollama.ENGINE.name


def _may_use_a_card() -> bool:
    """Does a program of the user's own run models? It may know a card, of whatever maker."""
    own = program.known()
    return bool(own and own.is_usable)


def _taken_before(model: Model, options: StartOptions) -> int:
    before = measured.with_options(model.name, options)
    return before.taken if before else 0


def _stays(model: Model) -> str:
    """Why this one is not to be stopped for another; "" where it may be."""
    if model.state != State.READY:
        return "is being loaded"
    if use.is_busy(model.name) or _is_working(model):
        return "is answering"
    return "is kept in memory" if rules.of(model).is_pinned else ""


def _is_working(model: Model) -> bool:
    """For whoever: another dashboard's people, too."""
    if model.engine != llamacpp.NAME:
        return False
    work = work_of(model.name)
    return work is None or work.is_busy


def _last_used(model: Model) -> float:
    return use.last_used(model.name) or 0.0


def _enough(able: Sequence[Model], needed: int, free: int) -> tuple[Model, ...]:
    """The fewest of these, in their order, that make room; none where all would not."""
    gains = [(model, room.given_back(model)) for model in able]
    chosen: list[tuple[Model, int]] = []
    for one in gains:
        chosen.append(one)
        free += one[1]
        if needed <= FULL * free:
            break
    else:
        return ()
    for one in tuple(chosen):  # it may have become superfluous by a larger one after it
        if needed <= FULL * (free - one[1]):
            free -= one[1]
            chosen.remove(one)
    return tuple(model for model, _ in chosen)


def _advice(judged: Judgement) -> str:
    if judged.would_go:
        names = listed([model.name for model in judged.would_go])
        return f"Stop {names}: that makes room for it."
    stay = f"{listed(judged.in_the_way)}. " if judged.in_the_way else ""
    ours = {os.getpid(), *(record.pid for record in records.read_all())}
    foreign = [one for one in holders(ours) if not one.is_ours and one.bytes >= WORTH_NAMING]
    held = [f"{one.name} ({memory(one.bytes)})" for one in foreign[:MOST_NAMED]]
    others = f"Close other programs, {listed(held)} hold most" if held else "Close other programs"
    return f"{stay}{others}, or choose a smaller quantization or context."
