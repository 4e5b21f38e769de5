"""How often somebody has done something lately."""

import threading
import time
from collections import deque


class Rate:
    """Counts by key, over the last so many seconds; what is older is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def count(self, key: str = "", now: float | None = None) -> None:
        """It happened once more; `now` in seconds of a clock that never goes back."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            self._forget(moment)
            self._times.setdefault(key, deque()).append(moment)

    def lately(self, key: str = "", now: float | None = None) -> int:
        """How often it happened lately."""
        with self._lock:
            self._forget(time.monotonic() if now is None else now)
            return len(self._times.get(key, ()))

    def wait(self, key: str, most: int, now: float | None = None) -> float:
        """The seconds until it happened fewer than `most` times lately; 0: it did not."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            self._forget(moment)
            times = self._times.get(key, deque())
            over = len(times) - most
            return times[over] + self._seconds - moment if over >= 0 and times else 0.0

    def all_lately(self) -> dict[str, int]:
        """How often it happened lately, by key."""
        with self._lock:
            self._forget(time.monotonic())
            return {key: len(times) for key, times in self._times.items()}

    def _forget(self, now: float) -> None:
        for key, times in list(self._times.items()):
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if not times:
                del self._times[key]
