"""A batch's progress, for the dashboard and for the log: in requests, as its bytes say little."""

import time

from lib.jobs import events

EVENT_SECONDS = 1.0
QUIET_SECONDS = 15.0  # while nothing changes
LINE_SECONDS = 60.0  # in the log, where every line stays
PHASE = "ask"


class Telling:
    """Tells how many are answered, of how many."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._event_at, self._line_at = 0.0, time.monotonic()
        self._told = self._said = (-1, "")

    def progress(self, done: int, note: str) -> None:
        """May be called as often as there is news; `note` says what it waits for."""
        now = time.monotonic()
        pause = EVENT_SECONDS if (done, note) != self._told else QUIET_SECONDS
        if now - self._event_at >= pause or done == self._total:
            self._event_at, self._told = now, (done, note)
            events.emit(PHASE, done=done, total=self._total, note=note)
        if now - self._line_at >= LINE_SECONDS and self._said != (done, note):
            self._line_at, self._said = now, (done, note)
            waits = f" · waiting: {note}" if note else ""
            print(f"  {done:,} of {self._total:,} answered{waits}", flush=True)
