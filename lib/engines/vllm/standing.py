"""How the model of a slot stands, from what was seen of its service and its engine; pure."""

from lib.core.values import Frozen
from lib.engines.base import State
from lib.engines.vllm import causes, floors, stages
from lib.engines.vllm.pulse import PROVEN_SECONDS
from lib.engines.vllm.sight import Sight
from lib.engines.vllm.systemd import ServiceState
from lib.engines.vllm.units import Unit

NOT_READ = "systemd has not read this service yet. Run: sudo systemctl daemon-reload"
STUCK = "The engine says that it is healthy, and no token comes. Start begins it anew."
FOREIGN = "Another program answers on port {port}. End it, then start the model again."
DUMB = "The engine runs and does not answer. Start begins it anew."
DIED = "Its engine died; it starts again by itself."
UNPROVEN = "Waiting for its first token."
SLOW = "It is slow to answer."
GAVE_UP = "It ended too often, so systemd starts it no more by itself."


class Standing(Frozen):
    """In the words of all engines."""

    state: State
    problem: str = ""
    note: str = ""


def standing(unit: Unit, seen: Sight | None) -> Standing:
    """Of a unit and what was seen of it; None where the first look is still under way."""
    if seen is None:
        return Standing(state=State.STARTING, note="Asking the engine.")
    service = seen.service
    if service is None:
        return Standing(state=State.FAILED, problem=seen.no_service)
    if service.load == "not-found":
        return Standing(state=State.STOPPED, note=NOT_READ)
    if service.active == "active":
        return _running(unit, seen)
    return _not_running(service, seen)


def cause_of(seen: Sight) -> causes.Cause | None:
    """Why its last run ended, as far as log and exit code tell."""
    code = seen.service.exit_code if seen.service else None
    return causes.find(seen.log, code)


def _not_running(service: ServiceState, seen: Sight) -> Standing:
    if service.active == "deactivating":
        return Standing(state=State.STOPPING)
    if service.active == "inactive":
        return Standing(state=State.STOPPED)
    cause = cause_of(seen)
    told = f"{cause.message} {cause.fix}" if cause else seen.log_problem
    if service.gave_up:
        return Standing(state=State.FAILED, problem=told or GAVE_UP)
    return Standing(state=State.STARTING, note=f"It ended and starts again. {told}".strip())


def _running(unit: Unit, seen: Sight) -> Standing:
    if seen.health == 200:
        return _healthy(unit, seen)
    if seen.health:
        return Standing(state=State.STARTING, note=DIED)
    alive_at = seen.pulse.alive_at
    if alive_at is None:
        return Standing(state=State.STARTING, note=_loading(seen))
    if seen.at - alive_at < PROVEN_SECONDS and not seen.pulse.is_stuck:
        return Standing(state=State.READY, note=SLOW)
    return Standing(state=State.FAILED, problem=DUMB)


def _healthy(unit: Unit, seen: Sight) -> Standing:
    """`/health` alone is no answer: it has to be our engine, and to make tokens."""
    if seen.problem and not seen.models:
        return Standing(state=State.FAILED, problem=seen.problem)
    if unit.served_name not in {model.id for model in seen.models}:
        return Standing(state=State.FAILED, problem=FOREIGN.format(port=unit.port))
    if seen.pulse.is_stuck:
        return Standing(state=State.FAILED, problem=STUCK)
    if not seen.pulse.is_proven:
        return Standing(state=State.STARTING, note=UNPROVEN)
    return Standing(state=State.READY, note=floors.objection(seen.version))


def _loading(seen: Sight) -> str:
    """`Loading the weights (3 of 4)`, and why it did not start before."""
    stage = f"{stages.read(seen.log).title}." if seen.log else seen.log_problem
    restarts = seen.service.restarts if seen.service else 0
    return f"Try {restarts + 1}. {stage}".strip() if restarts else stage
