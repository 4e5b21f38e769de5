"""How far an engine's start has come, as the deployment told it in its events."""

from collections.abc import Sequence

from lib.core import words
from lib.core.values import Frozen
from lib.engines.vllm.stages import TITLES, Step
from lib.jobs.events import Event

PHASE = "start"
SHOWN = tuple(step for step in Step if step != Step.READY)
_TITLES = {title: step for step, title in TITLES.items()}
_EXPECTED = " (ready in about "


class Start(Frozen):
    """The newest try."""

    steps: tuple[tuple[Step, float], ...]  # each with the moment it began, in epoch seconds
    ready_at: float | None = None  # when it should answer, by what earlier starts took
    done: int = 0  # bytes of the weights
    total: int = 0
    note: str = ""  # what was said last besides

    @property
    def step(self) -> Step:
        """Where it stands."""
        return self.steps[-1][0]

    @property
    def began(self) -> float:
        """When the whole try began."""
        return self.steps[0][1]

    def share(self, now: float) -> float:
        """How much of the expected time is over, never quite all of it."""
        if self.ready_at is None or self.ready_at <= self.began:
            return 0.0
        return min(max((now - self.began) / (self.ready_at - self.began), 0.0), 0.99)


def start_told(events: Sequence[Event]) -> Start | None:
    """Where the start stands; None before it began."""
    steps: list[tuple[Step, float]] = []
    ready_at, done, total, note = None, 0, 0, ""
    for event in events:
        if event.phase != PHASE:
            continue
        title, _, expected = event.note.partition(_EXPECTED)
        step = _TITLES.get(title)
        if step is None or step == Step.READY:
            done, total = event.done, event.total
            note = "" if event.note.startswith("part ") else event.note
            continue
        if step == Step.PROGRAM:
            steps, done, total = [], 0, 0
        steps.append((step, event.at))
        left = words.seconds(expected)
        ready_at = event.at + left if left is not None else ready_at
    if not steps:
        return None
    return Start(steps=tuple(steps), ready_at=ready_at, done=done, total=total, note=note)
