"""The one ledger of this machine's memory: what each model takes or will take, whoever loads it.

A load is judged before it begins, and noted while it lasts: what is being loaded is not in the
system's figure of free memory yet. Notes are files of BERTH_HOME, so that two dashboards know of
each other's loads. What a job or a command loads stands in the engine's own record.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from lib.core.access import Role, role
from lib.core.errors import BerthError, DoesNotFit
from lib.core.files import make_private, write_text
from lib.core.locks import locked
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.core.words import listed, memory
from lib.engines import all_models, llamacpp, ollama
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import measured, program, records
from lib.engines.llamacpp.work import work_of
from lib.fit.memory import FULL
from lib.fleet import rules, use
from lib.machine import sampler
from lib.machine.holders import holders
from lib.processes.background import Child, is_alive, me

# Of a model whose file cannot be looked into: its cache and working memory, beside its weights.
BESIDE_WEIGHTS = 0.2
LEAST_BESIDE_BYTES = 300 * 2**20
WORTH_NAMING, MOST_NAMED = 2**29, 3  # bytes that a foreign program holds, and programs
ASK = "Ask the owner of this machine to make room, or choose another model."


class Loading(Frozen):
    """A load that is under way, by the process that waits for it."""

    engine: str
    model: str
    bytes: int
    waits: Child


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
        is_guest = role() == Role.GUEST
        self.options = judged.options
        self.would_go = () if is_guest else tuple(model.name for model in judged.would_go)
        super().__init__(
            f"“{judged.model}” needs about {memory(judged.needed)} of memory, and"
            f" {memory(judged.free)} are free.",
            ASK if is_guest else _advice(judged),
        )


def needed_bytes(model: Model, options: StartOptions) -> int:
    """Memory that loading the model takes: 0 for one that is in memory or on its way there.

    That of a graphics card or of another machine is not what the others want. What an equal load
    has taken before counts where it was more than the estimate.
    """
    if model.place or model.state in (State.READY, State.STARTING):
        return 0
    if model.engine == llamacpp.NAME:
        before = _taken_before(model, options)
        if _may_use_a_card():  # how much of it the card takes is the program's own business
            return before
        with contextlib.suppress(BerthError, OSError):
            return max(_of_file(model, options), before)
    size = model.size_bytes or 0
    return size + max(round(BESIDE_WEIGHTS * size), LEAST_BESIDE_BYTES)


def judge(model: Model, options: StartOptions, models: Sequence[Model] | None = None) -> Judgement:
    """Is there room for this load now? Reads, and changes nothing."""
    needed = needed_bytes(model, options)
    every = all_models() if models is None else models
    free = free_bytes(every, but=model)
    has_room = not needed or needed <= FULL * free or _judges_itself(model)
    judged = Judgement(
        model=model.name, options=options, needed=needed, free=max(free, 0), has_room=has_room
    )
    return judged if has_room else _short(judged, model, every, free)


def _short(judged: Judgement, model: Model, every: Sequence[Model], free: int) -> Judgement:
    """With what would make room, and what is in the way; `free` may be less than nothing."""
    running = [m for m in every if _is_in_memory(m) and not _same(m, model)]
    reasons = {m.name: reason for m in running if (reason := _stays(m))}
    able = sorted((m for m in running if m.name not in reasons), key=_last_used)
    more = {
        "would_go": _enough(able, judged.needed, free),
        "in_the_way": tuple(f"{name} {reason}" for name, reason in reasons.items()),
    }
    return judged.model_copy(update=more)


def free_bytes(models: Sequence[Model] | None = None, but: Model | None = None) -> int:
    """Memory that a load can have: the system's figure, less what it does not know.

    The system counts pages of files as free, those of models that run too; and what is being
    loaded has not taken all that it will. `but` is the model that is to be loaded.
    """
    models = all_models() if models is None else models
    pages = sum(_pages_in_use(model) for model in models if _is_in_memory(model))
    return sampler.memory_available_bytes() - pages - _still_coming(models, but)


@contextlib.contextmanager
def admitted(model: Model, options: StartOptions) -> Iterator[None]:
    """Within it the model is loaded; NoRoom where there is none for it."""
    folder = make_private(settings().engines)
    with locked(folder / ".ledger.lock"):
        judged = judge(model, options)
        if not judged.has_room:
            raise judged.objection
        note = _note(folder, model, judged.needed) if judged.needed else None
    try:
        yield
    finally:
        if note:
            note.unlink(missing_ok=True)


def loads() -> list[Loading]:
    """Those that are under way; notes of processes that are no more are put away."""
    found = []
    for path in settings().engines.glob("*.loading"):
        with contextlib.suppress(OSError, ValidationError):
            load = Loading.model_validate_json(path.read_bytes())
            if is_alive(load.waits):
                found.append(load)
            else:
                path.unlink(missing_ok=True)
    return found


def _note(folder: Path, model: Model, needed: int) -> Path | None:
    """Comfort, not a condition: a full disk must not keep a model from memory."""
    name = sha256(f"{model.engine}/{model.name}/{os.getpid()}".encode()).hexdigest()[:32]
    load = Loading(engine=model.engine, model=model.name, bytes=needed, waits=me())
    with contextlib.suppress(OSError):
        write_text(folder / f"{name}.loading", load.model_dump_json())
        return folder / f"{name}.loading"
    return None


def _still_coming(models: Sequence[Model], but: Model | None) -> int:
    """Bytes that loads under way will yet take."""
    wanted = {(load.engine, load.model): load.bytes for load in loads()}
    coming = 0
    for model in (m for m in models if not (but and _same(m, but))):
        needed = wanted.get((model.engine, model.name)) or _of_a_start(model)
        coming += max(0, needed - (model.memory_bytes or 0)) if needed else 0
    return coming


def _of_a_start(model: Model) -> int:
    """What a model takes that a job, or another program, is loading: it leaves no note here."""
    if model.engine != llamacpp.NAME or model.state != State.STARTING:
        return 0
    record = records.read(model.name)
    with contextlib.suppress(BerthError, OSError):
        return _of_file(model, record.options) if record else 0
    return 0


def _pages_in_use(model: Model) -> int:
    """Pages of its file that a model of the built-in engine works with.

    Those that were copied into another layout are not needed any more: what it has beyond what it
    was expected to need.
    """
    now = measured.look(model.name) if model.engine == llamacpp.NAME else None
    if now is None or model.state != State.READY:
        return 0
    return min(now.of_files, max(0, now.expected - (now.taken - now.of_files)))


def _frees(model: Model) -> int:
    """What stopping it gives back."""
    now = measured.look(model.name) if model.engine == llamacpp.NAME else None
    if now is None:
        return model.memory_bytes or 0
    return now.taken - now.of_files + _pages_in_use(model)


def _judges_itself(model: Model) -> bool:
    """Ollama makes room among its own, uses what cards there are, and refuses what is too much."""
    return model.engine == ollama.ENGINE.name


def _of_file(model: Model, options: StartOptions) -> int:
    return measured.expected(llamacpp_files.find(model.name), options)


def _may_use_a_card() -> bool:
    """Does a program of the user's own run models? It may know a card, of whatever maker."""
    own = program.known()
    return bool(own and own.is_usable)


def _taken_before(model: Model, options: StartOptions) -> int:
    before = measured.look(model.name)
    return before.taken if before and before.options == options else 0


def _is_in_memory(model: Model) -> bool:
    """Of this machine, and not of a card's."""
    return bool(model.memory_bytes) and not model.place and not model.is_elsewhere


def _same(one: Model, other: Model) -> bool:
    return (one.engine, one.name) == (other.engine, other.name)


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
    gains = [(model, _frees(model)) for model in able]
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
