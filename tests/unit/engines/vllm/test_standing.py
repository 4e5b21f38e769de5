"""How the model of a slot stands, from what was seen; a table of all that can be."""

import pytest

from lib.engines.base import State
from lib.engines.vllm.answers import Listed
from lib.engines.vllm.pulse import Pulse
from lib.engines.vllm.sight import Sight
from lib.engines.vllm.standing import standing
from lib.engines.vllm.systemd import ServiceState
from lib.engines.vllm.units import Unit
from tests.support import vllm_logs as logs

UNIT = Unit(
    slot=0, name="berth-slot-0.service", model="org/m", revision="main", served_name="m", port=8104
)
RUNNING = ServiceState(active="active", sub="running", run="a")
LISTED = (Listed(id="m", context=4096),)
ALIVE = Pulse(counted=5, alive_at=90)
UP = Sight(at=100, service=RUNNING, health=200, models=LISTED, pulse=ALIVE)
FULL = logs.refused("OSError: [Errno 28] No space left on device")


def changed(**fields: object) -> Sight:
    return UP.model_copy(update=fields)


@pytest.mark.parametrize(
    ("seen", "state", "said"),
    [
        (None, State.STARTING, "Asking the engine."),
        (changed(service=None, no_service="No systemd."), State.FAILED, "No systemd."),
        (
            changed(service=ServiceState(load="not-found")),
            State.STOPPED,
            "systemd has not read this service yet. Run: sudo systemctl daemon-reload",
        ),
        (changed(service=ServiceState()), State.STOPPED, ""),
        (changed(service=ServiceState(active="deactivating")), State.STOPPING, ""),
        (UP, State.READY, ""),
        (
            changed(version="0.21.0"),
            State.READY,
            "vLLM 0.21.0 is older than 0.32.0: whoever reaches it can get past its key"
            " (CVE-2026-48746). Deploy the model again with a newer one.",
        ),
        (changed(pulse=Pulse(counted=0)), State.STARTING, "Waiting for its first token."),
        (
            changed(pulse=Pulse(alive_at=90, is_stuck=True)),
            State.FAILED,
            "The engine says that it is healthy, and no token comes. Start begins it anew.",
        ),
        (changed(models=(), problem="No key."), State.FAILED, "No key."),
        (changed(problem="Slow."), State.READY, ""),
        (
            changed(models=(Listed(id="other"),)),
            State.FAILED,
            "Another program answers on port 8104. End it, then start the model again.",
        ),
        (changed(health=503), State.STARTING, "Its engine died; it starts again by itself."),
        (changed(health=0), State.READY, "It is slow to answer."),
        (
            changed(health=0, at=1_000),
            State.FAILED,
            "The engine runs and does not answer. Start begins it anew.",
        ),
        (
            changed(health=0, pulse=Pulse(), log=logs.BEGUN),
            State.STARTING,
            "Starting the program.",
        ),
        (
            changed(
                health=0,
                pulse=Pulse(),
                log=logs.BEGUN + logs.LOADING,
                service=RUNNING.model_copy(update={"restarts": 1}),
            ),
            State.STARTING,
            "Try 2. Loading the weights (1 of 4).",
        ),
        (
            changed(health=0, pulse=Pulse(), log_problem="The log may not be read."),
            State.STARTING,
            "The log may not be read.",
        ),
        (
            changed(
                service=ServiceState(active="activating", sub="auto-restart", exit_code=1),
                health=0,
                log=FULL,
            ),
            State.STARTING,
            "It ended and starts again. The disk is full. Free some space, then start it again.",
        ),
        (
            changed(service=ServiceState(active="failed", exit_code=1), health=0, log=FULL),
            State.FAILED,
            "The disk is full. Free some space, then start it again.",
        ),
        (
            changed(service=ServiceState(active="failed"), health=0),
            State.FAILED,
            "It ended too often, so systemd starts it no more by itself.",
        ),
    ],
)
def test_what_was_seen_becomes_a_state_and_a_sentence(
    seen: Sight | None, state: State, said: str
) -> None:
    how = standing(UNIT, seen)
    assert (how.state, how.problem or how.note) == (state, said)
    assert not (how.problem and how.state != State.FAILED)
