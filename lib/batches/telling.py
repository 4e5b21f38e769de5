"""A batch's progress, for the dashboard and for the log: in requests, as its bytes say little."""

import time

from lib.jobs import events

EVENT_SECONDS = 1.0
LINE_SECONDS = 30.0  # in the log, where every line stays
PHASE = "ask"


class Telling:
    """Tells how many are answered, of how many."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._event_at, self._line_at = 0.0, time.monotonic()

    def progress(self, done: int, note: str) -> None:
        """May be called as often as there is news; `note` says what it waits for."""
        now = time.monotonic()
        if now - self._event_at >= EVENT_SECONDS or done == self._total:
            self._event_at = now
            events.emit(PHASE, done=done, total=self._total, note=note)
        if now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            waits = f" · waiting: {note}" if note else ""
            print(f"  {done:,} of {self._total:,} answered{waits}", flush=True)
