"""What was seen a moment ago, looked at again in the background: whoever asks hardly waits."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Sight = TypeVar("Sight")
_log = logging.getLogger(__name__)


class Lately(Generic[Sight]):
    """A look that may take long or hang; at most one is under way."""

    def __init__(self, look: Callable[[], Sight], fresh_seconds: float) -> None:
        self._look = look
        self._fresh_seconds = fresh_seconds
        self._changed = threading.Condition()
        self._last: Sight | None = None
        self._at = float("-inf")
        self._begun: float | None = None

    def seen(self, patience_seconds: float = 0.0) -> Sight | None:
        """The last sight; None where there is none yet.

        Where that is old, another look begins, and is waited for until it is so many seconds old:
        one that hangs delays nobody who comes later.
        """
        with self._changed:
            if self._begun is None and time.monotonic() - self._at > self._fresh_seconds:
                self._begun = time.monotonic()
                threading.Thread(target=self._run, name="look", daemon=True).start()
            if self._begun is not None:
                left = self._begun + patience_seconds - time.monotonic()
                self._changed.wait_for(lambda: self._begun is None, max(0.0, left))
            return self._last

    def _run(self) -> None:
        sight: Sight | None = None
        try:
            sight = self._look()
        except Exception:
            _log.exception("a look has failed")
        finally:
            with self._changed:
                self._last = self._last if sight is None else sight
                self._at, self._begun = time.monotonic(), None
                self._changed.notify_all()
