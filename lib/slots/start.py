"""A slot's engine started and followed until it answers; what it refuses, in words.

systemd says that the service runs long before the engine answers, and starts it again by itself
when it has ended: the first end counts here.
"""

import os
import time
from collections.abc import Mapping

from lib.core import words
from lib.core.errors import BadInput, BerthError, DoesNotFit, EngineError
from lib.engines.vllm import causes, stages, systemd
from lib.engines.vllm.causes import Cause, Kind
from lib.engines.vllm.systemd import ServiceState
from lib.jobs.report import Report
from lib.slots import probe
from lib.slots.change import Doer
from lib.slots.expected import expected_seconds, left_seconds
from lib.slots.plan import SlotPlan
from lib.slots.probe import Engine
from lib.slots.steps import Command
from lib.slots.unit_text import READY_SECONDS

LOOK_SECONDS = 1.0
LONGEST_SECONDS = READY_SECONDS + 600.0
JOURNAL_LINES = 2_000
PAUSE_SECONDS = 20.0  # before a start that a neighbour's memory disturbed is tried again
PAUSE_VARIABLE = "BERTH_PAUSE_SECONDS"


TOO_LARGE = (
    Kind.CARD_TAKEN,
    Kind.WEIGHTS_TOO_LARGE,
    Kind.NO_ROOM_FOR_CACHE,
    Kind.CONTEXT_TOO_LARGE,
    Kind.CONTEXT_BEYOND_MODEL,
    Kind.TOO_MANY_REQUESTS,
    Kind.MEMORY_RAN_OUT,
)
UNKNOWN = Cause(
    kind=Kind.UNKNOWN,
    message="The engine ended while it started, and did not say why.",
    fix="Its log may say more.",
)


class Ended(Exception):
    """The engine ended while it started."""

    def __init__(self, why: Cause) -> None:
        super().__init__(why.message)
        self.why = why

    @property
    def error(self) -> BerthError:
        """For people: DoesNotFit where the card is too small."""
        kind = DoesNotFit if self.why.kind in TOO_LARGE else EngineError
        return kind(self.why.message, self.why.fix)


def begin(unit: str, doer: Doer) -> None:
    """Have systemd start it, now and with the machine."""
    if systemd.state(unit).enabled != "enabled":
        doer.do(
            Command(
                why="have it started with the machine",
                command=("systemctl", "enable", unit),
                undo=("systemctl", "disable", unit),
            )
        )
    doer.do(
        # After a reached start limit systemd refuses every start until this.
        Command(why="forget old failures", command=reset(unit), may_fail=True),
        Command(
            why="start the service",
            command=("systemctl", "start", unit),
            undo=("systemctl", "stop", unit),
            seconds=systemd.ACT_SECONDS,
        ),
    )


def reset(unit: str) -> tuple[str, ...]:
    """The command that makes systemd start it again after it ended too often."""
    return ("systemctl", "reset-failed", unit)


def follow(
    plan: SlotPlan,
    engine: Engine,
    report: Report,
    before: Mapping[str, float],
) -> dict[str, float]:
    """Wait until it answers, and tell each of its steps; Ended where it does not come that far.

    `before` is how long each step took last time, in seconds; it returns what they took now.
    EngineError after more than an hour.
    """
    watch = _Watch(plan, report, expected_seconds(plan.weights_bytes, before))
    give_up_at = time.monotonic() + LONGEST_SECONDS
    first = systemd.state(plan.unit)
    while time.monotonic() < give_up_at:
        now = systemd.state(plan.unit)
        log = systemd.journal(plan.unit, JOURNAL_LINES, run_id=first.run or now.run)
        if has_ended(first, now):
            raise Ended(causes.find(log, now.exit_code) or UNKNOWN)
        watch.look(log)
        if probe.is_healthy(engine):
            return watch.finished()
        time.sleep(LOOK_SECONDS)
    raise EngineError(
        f"The engine has not answered for {words.duration(LONGEST_SECONDS)}.",
        "Look at its log: journalctl -u " + plan.unit,
    )


def pause_seconds() -> float:
    """The pause, or what `BERTH_PAUSE_SECONDS` says."""
    try:
        return float(os.environ.get(PAUSE_VARIABLE) or PAUSE_SECONDS)
    except ValueError as error:
        raise BadInput(f"{PAUSE_VARIABLE} is no number.", "Correct or unset it.") from error


def has_ended(first: ServiceState, now: ServiceState) -> bool:
    """Is the run that was begun over, whatever systemd has made of it since?"""
    is_another = bool(first.run) and now.run != first.run
    return is_another or now.restarts > first.restarts or not now.is_running


class _Watch:
    """Tells each step once, and how the weights come."""

    def __init__(self, plan: SlotPlan, report: Report, expected: Mapping[str, float]) -> None:
        self._weights_bytes, self._report, self._expected = plan.weights_bytes, report, expected
        self._step, self._since = stages.Step.PROGRAM, time.monotonic()
        self._seconds: dict[str, float] = {}
        self._has_told_context = False
        self._tell()

    def look(self, log: str) -> None:
        """What is new since the last look."""
        now = stages.read(log)
        if now.step != self._step:
            self._close()
            self._step = now.step
            self._tell()
        if now.step == stages.Step.WEIGHTS and now.total:
            done = self._weights_bytes * now.done // now.total
            self._report.progress(done, self._weights_bytes, f"part {now.done} of {now.total}")
        self._tell_context(stages.given(log))

    def finished(self) -> dict[str, float]:
        """Seconds that each step took."""
        self._close()
        return self._seconds

    def _close(self) -> None:
        now = time.monotonic()
        self._seconds[self._step] = round(now - self._since, 1)
        self._since = now

    def _tell(self) -> None:
        if self._step != stages.Step.READY:
            left = words.duration(left_seconds(self._step, self._expected))
            self._report.note(f"  {stages.TITLES[self._step]} (ready in about {left})")

    def _tell_context(self, given: stages.Given) -> None:
        """A context that shrinks is never passed over in silence."""
        if given.context_wanted and given.context and not self._has_told_context:
            self._has_told_context = True
            self._report.note(
                f"  The context is {given.context:,} tokens, where the model itself could do "
                f"{given.context_wanted:,}: more does not fit."
            )
