"""A command's account of itself: events for the dashboard, lines for the person in the terminal."""

import shutil
import sys
import time
from typing import TextIO

from lib.core import words
from lib.jobs import events
from lib.jobs.events import PhaseState

EVENT_SECONDS = 1.0
REDRAW_SECONDS = 0.2  # on a terminal, where one line is drawn again and again
LINE_SECONDS = 5.0  # in a log, where every line stays


class Report:
    """Phases one after the other, each with progress in bytes where that is known."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._is_terminal = self._out.isatty()
        self._phase = ""
        self._done = self._total = 0
        self._event_at = self._line_at = self._began = 0.0
        self._began_with = 0
        self._width = 0

    def say(self, text: str) -> None:
        """A line for people."""
        self._clear_progress()
        print(text, file=self._out, flush=True)

    def begin(self, phase: str, text: str) -> None:
        """The next phase starts."""
        self._phase, self._done, self._total = phase, 0, 0
        self._event_at = self._line_at = self._began = 0.0
        self.say(text)
        events.emit(phase, note=text)

    def note(self, text: str) -> None:
        """A line for people that the dashboard shows too: what the phase does now."""
        self.say(text)
        events.emit(self._phase, done=self._done, total=self._total, note=text.strip())

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Bytes so far; may be called as often as there is news."""
        self._done, self._total = done, total
        now = time.monotonic()
        if not self._began:
            self._began, self._began_with = now, done
            self._line_at = now
        if now - self._event_at >= EVENT_SECONDS:
            self._event_at = now
            events.emit(self._phase, done=done, total=total, note=note)
        if now - self._line_at >= (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            self._line_at = now
            self._draw(now, note)

    def end(self, text: str = "", state: str = PhaseState.SUCCEEDED) -> None:
        """The phase is over; nothing happens where none has begun."""
        if text:
            self.say(text)
        if self._phase:
            events.emit(self._phase, state, done=self._done, total=self._total, note=text)
        self._phase = ""

    def _draw(self, now: float, note: str) -> None:
        text = self._progress_line(now, note)[: shutil.get_terminal_size().columns - 1]
        if not self._is_terminal:
            print(text, file=self._out, flush=True)
            return
        print(f"\r{text.ljust(self._width)}", end="", file=self._out, flush=True)
        self._width = len(text)

    def _progress_line(self, now: float, note: str) -> str:
        parts = [f"  {words.disk(self._done)}"]
        if self._total:
            share = self._done / self._total
            parts = [f"{parts[0]} of {words.disk(self._total)} ({share:.0%})"]
        speed = (self._done - self._began_with) / max(now - self._began, 0.001)
        if speed > 0:
            parts.append(f"{words.disk(speed)}/s")
        if speed > 0 and self._total > self._done:
            parts.append(f"{words.duration((self._total - self._done) / speed)} left")
        return " · ".join([*parts, note] if note else parts)

    def _clear_progress(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=self._out)
            self._width = 0
