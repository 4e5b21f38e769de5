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
        self._is_looking = False

    def seen(self, first_seconds: float = 0.0) -> Sight | None:
        """The last sight, another look begun where it is old.

        So long the first one is waited for; None where it takes longer, or has failed.
        """
        with self._changed:
            if not self._is_looking and time.monotonic() - self._at > self._fresh_seconds:
                self._is_looking = True
                threading.Thread(target=self._run, name="look", daemon=True).start()
            if self._last is None:
                self._changed.wait_for(lambda: not self._is_looking, first_seconds)
            return self._last

    def forget(self) -> None:
        """What was seen holds no more."""
        with self._changed:
            self._last, self._at = None, float("-inf")

    def _run(self) -> None:
        sight: Sight | None = None
        try:
            sight = self._look()
        except Exception:
            _log.exception("a look has failed")
        finally:
            with self._changed:
                self._last = self._last if sight is None else sight
                self._at, self._is_looking = time.monotonic(), False
                self._changed.notify_all()
