"""A slot's engine started and followed until it answers; what it refuses, in words.

systemd says that the service runs long before the engine answers, and starts it again by itself
when it has ended: the first end counts here.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from lib.core import words
from lib.core.errors import DoesNotFit, EngineError
from lib.engines.vllm import systemd
from lib.engines.vllm.systemd import ServiceState
from lib.jobs.report import Report
from lib.slots import probe
from lib.slots.change import Doer
from lib.slots.plan import SlotPlan
from lib.slots.probe import Engine
from lib.slots.refusals import Refusal, refusal
from lib.slots.stages import TITLES, Progress, Stage, expected_seconds, left_seconds, progress
from lib.slots.steps import Command
from lib.slots.unit_text import READY_SECONDS

LOOK_SECONDS = 1.0
LONGEST_SECONDS = READY_SECONDS + 600.0
JOURNAL_LINES = 2_000
PAUSE_SECONDS = 20.0  # before a start that a neighbour's memory disturbed is tried again


class Ended(Exception):
    """The engine ended while it started."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why.cause)
        self.why = why

    @property
    def error(self) -> EngineError | DoesNotFit:
        """For people: DoesNotFit where the card is too small."""
        is_memory = self.why.context is not None or "memory" in self.why.cause
        told = f" vLLM says: {self.why.line}." if self.why.line else ""
        kind = DoesNotFit if is_memory and not self.why.is_passing else EngineError
        return kind(f"{self.why.cause}{told}", self.why.fix)


class Started(NamedTuple):
    """How a start went."""

    seconds: dict[str, float]  # of each stage
    progress: Progress


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
    before: dict[str, float] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Started:
    """Wait until it answers, and tell each of its stages; Ended where it does not come that far.

    `before` is how long each stage took last time. EngineError after more than an hour.
    """
    watch = _Watch(plan, report, expected_seconds(plan.weights_bytes, before))
    give_up_at = time.monotonic() + LONGEST_SECONDS
    first = systemd.state(plan.unit)
    while time.monotonic() < give_up_at and is_wanted():
        now = systemd.state(plan.unit)
        log = systemd.journal(plan.unit, JOURNAL_LINES, run_id=first.run or now.run)
        if has_ended(first, now):
            raise Ended(refusal(log, now.exit_code))
        watch.look(progress(log))
        if probe.is_healthy(engine):
            return Started(watch.finished(), progress(log))
        time.sleep(LOOK_SECONDS)
    raise EngineError(
        f"The engine has not answered for {words.duration(LONGEST_SECONDS)}.",
        "Look at its log: journalctl -u " + plan.unit,
    )


def has_ended(first: ServiceState, now: ServiceState) -> bool:
    """Is the run that was begun over, whatever systemd has made of it since?"""
    is_another = bool(first.run) and now.run != first.run
    return is_another or now.restarts > first.restarts or not now.is_running


class _Watch:
    """Tells each stage once, and how the weights come."""

    def __init__(self, plan: SlotPlan, report: Report, expected: dict[str, float]) -> None:
        self._plan, self._report, self._expected = plan, report, expected
        self._stage, self._since = Stage.PROGRAM, time.monotonic()
        self._seconds: dict[str, float] = {}
        self._tell()

    def look(self, now: Progress) -> None:
        """What is new since the last look."""
        if now.stage != self._stage:
            self._close()
            self._stage = now.stage
            self._tell()
            if now.reduced_from and now.reduced_to:
                self._report.note(
                    f"  The context was fitted to the card: {now.reduced_to:,} of "
                    f"{now.reduced_from:,} tokens."
                )
        if now.stage == Stage.WEIGHTS and now.shards:
            total = self._plan.weights_bytes
            name = f"part {now.shards_done} of {now.shards}"
            self._report.progress(int(total * now.share), total, name)

    def finished(self) -> dict[str, float]:
        """Seconds that each stage took."""
        self._close()
        return self._seconds

    def _close(self) -> None:
        now = time.monotonic()
        self._seconds[self._stage] = round(now - self._since, 1)
        self._since = now

    def _tell(self) -> None:
        if self._stage == Stage.READY:
            return
        left = left_seconds(self._stage, 0.0, self._expected)
        self._report.note(f"  {TITLES[self._stage]} (about {words.duration(left)} left)")
