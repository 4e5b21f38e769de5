"""What is written later: whoever adds something does not wait for the disk.

A thread writes what came together, and ends when nothing waits any more.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

GATHER_SECONDS = 0.5  # so long the thread waits for more

_Item = TypeVar("_Item")


class Writer(Generic[_Item]):
    """`keep` writes, and returns what could not be: it is tried again with the next.

    Beyond `most()` that wait, what is new is lost.
    """

    def __init__(
        self, name: str, keep: Callable[[Sequence[_Item]], Sequence[_Item]], most: Callable[[], int]
    ) -> None:
        self._name, self._keep, self._most = name, keep, most
        self._waiting: list[_Item] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._hurry = threading.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: _Item) -> None:
        """It is written soon."""
        with self._lock:
            if len(self._waiting) < self._most():
                self._waiting.append(item)
            if self._thread is None:
                self._hurry.clear()
                self._thread = threading.Thread(target=self._write, name=self._name, daemon=True)
                with contextlib.suppress(RuntimeError):  # none can be started: the next one tries
                    self._thread.start()
                    return
                self._thread = None

    def settle(self, seconds: float) -> None:
        """Return when what was added is written, or after so long."""
        self._hurry.set()
        with self._lock:  # a thread that is being started cannot be waited for
            thread = self._thread
        if thread:
            thread.join(seconds)

    def _write(self) -> None:
        while True:
            self._hurry.wait(GATHER_SECONDS)
            with self._lock:
                items, self._waiting = self._waiting, []
            left = self._keep(items)
            with self._lock:
                is_done = bool(left) or not self._waiting
                self._waiting = [*left, *self._waiting][: self._most()]
                if is_done:
                    self._thread = None
                    return
