"""What a client that waits for a stream is told meanwhile, in comment lines that clients skip.

    : queue, 2 before you
    : loading 40 %
    : reading the prompt 512 of 4096

The first one comes after a second: ordinary requests are not touched by it, and what fails before
is told by its status. After it, the stream has begun, and a failure is an event in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from types import TracebackType

from lib.api.answer import Answer

FIRST_SECONDS = 1.0
EVERY_SECONDS = 4.0

Words = Callable[[], Awaitable[str]]


class Stage(StrEnum):
    """What a request waits for."""

    QUEUE = "queue"
    LOADING = "loading"
    READING = "reading"


async def _nothing() -> str:
    return "waiting"


class Waiting:
    """One client's wait, to be used with `async with`; it is over before the answer goes out.

    `hears` is told of each stage when it begins; it must not wait for anything.
    """

    def __init__(
        self, answer: Answer, *, is_stream: bool, hears: Callable[[str], None] | None = None
    ) -> None:
        self._answer, self._is_stream, self._hears = answer, is_stream, hears
        self._words: Words = _nothing
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None
        self._is_sending = False
        self.is_on = True  # until the answer comes

    def now(self, stage: Stage, words: Words) -> None:
        """It waits for this from now on; `words` say how far it has come."""
        self._words = words
        if self._hears:
            self._hears(stage)

    async def over(self) -> None:
        """Tell no more; returns when nothing is being sent, in the first second at once."""
        self.is_on = False
        if self._timer:
            self._timer.cancel()
        if self._telling:
            if not self._is_sending:
                self._telling.cancel()
            await asyncio.wait([self._telling])
            self._telling = None

    async def __aenter__(self) -> "Waiting":
        """Nothing is told yet."""
        if self._is_stream:
            self._timer = asyncio.get_running_loop().call_later(FIRST_SECONDS, self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """However it ended: whoever has left is not waited for."""
        if isinstance(error, asyncio.CancelledError):
            self.is_on = False
            for pending in (self._timer, self._telling):
                if pending:
                    pending.cancel()
        else:
            await self.over()

    def _begin(self) -> None:
        self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        while self.is_on:
            words = await self._words()
            self._is_sending = True
            await self._answer.comment(words)
            self._is_sending = False
            await asyncio.sleep(EVERY_SECONDS if self.is_on else 0)
