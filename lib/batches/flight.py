"""The requests of a batch that are under way, begun at the pace that the engine can take."""

import heapq
import queue
import time
from collections.abc import Callable, Sequence

from lib.batches.asking import Outcome, begin
from lib.batches.lines import Line
from lib.batches.pace import Pace
from lib.batches.record import Asked
from lib.batches.results import Result

_Due = tuple[float, int, Line, int]  # when, its place in the file, which, how often it failed


class Flight:
    """Every line is asked until it has one result; of the lines that wait, the first go first."""

    def __init__(
        self, asked: Asked, lines: Sequence[Line], body_of: Callable[[Line], bytes]
    ) -> None:
        self.waits_for = ""  # what keeps lines waiting, in words; "" where nothing does
        self._asked, self._body_of = asked, body_of
        self._due: list[_Due] = [(0.0, place, line, 0) for place, line in enumerate(lines)]
        self._under_way: dict[str, _Due] = {}
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._pace = Pace(time.monotonic())

    @property
    def is_done(self) -> bool:
        """Has every line its result?"""
        return not self._due and not self._under_way

    def step(self, seconds: float) -> list[Result]:
        """Begin what may begin, and return the results that come, after this time at the latest."""
        self._begin(time.monotonic())
        found: list[Outcome] = []
        try:
            found.append(self._outcomes.get(timeout=self._patience(seconds)))
            while True:
                found.append(self._outcomes.get_nowait())
        except queue.Empty:
            pass
        results = [self._taken(outcome, time.monotonic()) for outcome in found]
        return [one for one in results if one is not None]

    def _begin(self, now: float) -> None:
        while self._may_begin(now):
            due = heapq.heappop(self._due)
            _, _, line, tried = due
            self._under_way[line.custom_id] = due
            begin(self._asked, line.custom_id, self._body_of(line), tried, self._outcomes.put)

    def _may_begin(self, now: float) -> bool:
        has_room = len(self._under_way) < self._pace.limit and now >= self._pace.not_before
        return bool(has_room and self._due and self._due[0][0] <= now)

    def _patience(self, seconds: float) -> float:
        """Until something comes, or something may begin."""
        if not self._due or len(self._under_way) >= self._pace.limit:
            return seconds
        wait = max(self._pace.not_before, self._due[0][0]) - time.monotonic()
        return min(max(wait, 0.01), seconds)

    def _taken(self, outcome: Outcome, now: float) -> Result | None:
        _, place, line, tried = self._under_way.pop(outcome.custom_id)
        if outcome.result is not None:
            self._pace.answered(now)
            self.waits_for = ""
            return outcome.result
        self.waits_for = outcome.note
        slow = self._pace.refused if outcome.slows else self._pace.pause
        slow(outcome.wait_seconds, now)
        again = (now + outcome.wait_seconds, place, line, tried + outcome.counts)
        heapq.heappush(self._due, again)
        return None
