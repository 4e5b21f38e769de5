"""Threads for work that blocks, apart by its kind: what one person does cannot stop another's.

Reading a document may take a minute, an engine may hang: neither may hold the threads in which
somebody signs in, presses Stop, or in which the gateway looks for its model.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from lib.core.errors import BerthError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class TooBusy(BerthError, code="too_busy", status=429):
    """So much waits already that more would only wait longer."""


class Pool:
    """A few threads with a queue that has an end, for each person and for all."""

    def __init__(self, what: str, threads: int, each: int, everybody: int, seconds: int) -> None:
        """`each` and `everybody`: how many may be under way or wait; `seconds`: when to come again.

        `what` is waited for, in the plural: the refusal names it.
        """
        self._what, self._each, self._everybody, self._seconds = what, each, everybody, seconds
        name = what.replace(" ", "-")
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._busy: Counter[str] = Counter()

    async def run(
        self,
        who: str,
        act: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """What `act` returns, from a thread; TooBusy at once where too much waits for `who`."""
        if self._busy[who] >= self._each or self._busy.total() >= self._everybody:
            raise TooBusy(
                f"{self._busy.total()} {self._what} wait here already.",
                f"Try again in {self._seconds} s.",
            )
        here = contextvars.copy_context()
        self._busy[who] += 1
        done = self._executor.submit(lambda: here.run(act, *args, **kwargs))
        # Counted until the thread is free again, also where nobody waits for it any more.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: self._end_soon(loop, who))
        return await asyncio.wrap_future(done)

    def _end_soon(self, loop: asyncio.AbstractEventLoop, who: str) -> None:
        try:
            loop.call_soon_threadsafe(self._end, who)
        except RuntimeError:  # the loop has closed
            self._end(who)

    def _end(self, who: str) -> None:
        self._busy[who] -= 1
        if self._busy[who] <= 0:
            del self._busy[who]


DOCUMENTS = Pool("files", threads=4, each=4, everybody=16, seconds=20)
DRAFTS = Pool("looks at attached files", threads=2, each=32, everybody=256, seconds=5)
LOOKS = Pool("looks at the engines", threads=8, each=256, everybody=256, seconds=5)
SIGN_INS = Pool("sign-ins", threads=2, each=8, everybody=64, seconds=10)
STOPS = Pool("replies to be stopped", threads=2, each=32, everybody=256, seconds=5)
EVERYBODY = ""  # for work that is nobody's own
