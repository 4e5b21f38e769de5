"""How many requests a model gets at a time, and who comes next of those that wait.

By default as many as its engine has slots; an engine that says so itself (vLLM, Ollama) gets all.
Callers take turns: one that sends fifty requests stands with one foot in each round. A request that
finds a free place is not delayed at all.
"""

import asyncio
import math
import time
from collections import OrderedDict, deque
from types import TracebackType
from typing import NamedTuple

from lib.api.waiting import Stage, Waiting
from lib.core.errors import BerthError
from lib.core.preferences import preferences
from lib.core.words import count
from lib.engines.base import Upstream

GUESS_SECONDS = 5.0  # of an answer, before any was measured
WEIGHT = 0.3  # of the newest answer in the mean
# The official clients wait no longer than a minute for a header's sake.
MOST_SECONDS = 60
MOST_LINES = 256

Place = tuple[str, str]  # the address and the name of a model at its engine
_Turn = asyncio.Future[None]


class QueueIsFull(BerthError, code="queue_full", status=429):
    """As many wait for the model as may."""

    def __init__(self, model: str, waiting: int, seconds: int) -> None:
        super().__init__(
            f"{count(waiting, 'request')} for “{model}” wait here already, which is the limit.",
            f"Try again in about {seconds} s.",
        )
        self.headers = [(b"retry-after", str(seconds).encode())]


class Limits(NamedTuple):
    """What the owner has set."""

    at_once: int  # 0: as the engine says
    waiting: int


_lines: dict[Place, "Line"] = {}


def limits() -> Limits:
    """As they are now."""
    found = preferences()
    return Limits(found.requests_at_once, found.requests_waiting)


class Line:
    """Those of one model: who is being answered, and who waits."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.running = 0
        self.waiting: OrderedDict[str, deque[_Turn]] = (
            OrderedDict()
        )  # by caller, the next one first
        self.seconds = 0.0  # the mean time of an answer; 0: none was measured

    @property
    def length(self) -> int:
        """How many wait."""
        return sum(map(len, self.waiting.values()))

    def take(self) -> bool:
        """A place, if there is one now."""
        self.hand_out()
        if self.waiting or not self._has_place():
            return False
        self.running += 1
        return True

    def join(self, caller: str) -> _Turn:
        """Wait behind the others of this caller; the turn is done when it has come."""
        turn = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(caller, deque()).append(turn)
        return turn

    def leave(self, caller: str, turn: _Turn) -> None:
        """Whoever waited does so no more; a turn that has come meanwhile is given on."""
        if turn.done() and not turn.cancelled():
            self.give_back()
        elif turn in (own := self.waiting.get(caller, deque())):
            own.remove(turn)
            if not own:
                del self.waiting[caller]

    def give_back(self, seconds: float | None = None) -> None:
        """A place is free again; `seconds` the answer took, where it came to its end."""
        self.running -= 1
        if seconds is not None:
            weight = WEIGHT if self.seconds else 1.0
            self.seconds += weight * (seconds - self.seconds)
        self.hand_out()

    def hand_out(self) -> None:
        """Give the free places to those that wait; the owner may have allowed more since."""
        while self.waiting and self._has_place():
            turn = self._next()
            if not turn.done():  # it may have been given up just now
                self.running += 1
                turn.set_result(None)

    def before(self, caller: str, turn: _Turn) -> int:
        """How many come before this one, as it stands now."""
        own = self.waiting.get(caller, deque())
        if turn not in own:
            return 0
        ahead, callers = own.index(turn), list(self.waiting)
        mine = callers.index(caller)
        rounds = ((ahead + (at < mine), each) for at, each in enumerate(callers) if at != mine)
        return ahead + sum(min(most, len(self.waiting[each])) for most, each in rounds)

    def retry_seconds(self) -> int:
        """In about how many seconds there will be a place to wait in."""
        mean = self.seconds or GUESS_SECONDS
        return min(MOST_SECONDS, max(1, math.ceil(mean / max(1, self._at_once()))))

    def _at_once(self) -> int:
        return limits().at_once or self.slots

    def _has_place(self) -> bool:
        most = self._at_once()
        return not most or self.running < most

    def _next(self) -> _Turn:
        """The caller's others go behind everybody else's next one."""
        caller, own = next(iter(self.waiting.items()))
        turn = own.popleft()
        if own:
            self.waiting.move_to_end(caller)
        else:
            del self.waiting[caller]
        return turn


def line_of(to: Upstream) -> Line:
    """The one line that all requests for this model at this engine stand in."""
    place = (to.base_url, to.model)
    line = _lines.get(place)
    if line is None:
        for old in [key for key, one in _lines.items() if not one.running and not one.waiting]:
            if len(_lines) < MOST_LINES:
                break
            del _lines[old]
        line = _lines[place] = Line(to.slots)
    line.slots = to.slots
    return line


class Turn:
    """A place at the engine, within `async with`; QueueIsFull where too many wait for one."""

    def __init__(self, to: Upstream, model: str, caller: str, wait: Waiting) -> None:
        self._line, self._model, self._caller, self._wait = line_of(to), model, caller, wait
        self._began = 0.0

    async def __aenter__(self) -> None:
        """At once where there is a place."""
        if not self._line.take():
            await self._come()
        self._began = time.monotonic()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The next one's turn has come."""
        self._line.give_back(None if error else time.monotonic() - self._began)

    async def _come(self) -> None:
        line, waiting = self._line, self._line.length
        if waiting >= limits().waiting:
            raise QueueIsFull(self._model, waiting, line.retry_seconds())
        turn = line.join(self._caller)

        async def words() -> str:
            line.hand_out()
            return f"queue, {line.before(self._caller, turn)} before you"

        self._wait.now(Stage.QUEUE, words)
        try:
            await turn
        except asyncio.CancelledError:
            line.leave(self._caller, turn)
            raise
