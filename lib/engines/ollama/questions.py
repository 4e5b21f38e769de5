"""Questions that pages ask again and again: sent in the background, waited for only for a moment.

What was answered last serves where an answer is late, and then nobody waits for that answer for a
while, nor for that server until it is quick again: one that hangs costs a page one wait, not one
at every turn. A command, which has no page that waits for it, asks for itself.
"""

import threading
import time
from collections.abc import Callable

import httpx

from lib.core import patience
from lib.core.errors import BerthError, EngineError

SILENT_SECONDS = 5.0  # for so long nobody waits for a server that was late
HICCUP_SECONDS = 3.0  # a server that was late for less is not called silent
THREAD = "ollama-question"

Send = Callable[[], bytes]


class _Question:
    """One question to one server; guarded by the lock of all."""

    def __init__(self) -> None:
        self.answer: bytes | BerthError | None = None  # the last that came
        self.sent = self.ended = 0  # how many
        self.sent_at = self.late_until = 0.0  # on the monotonic clock
        self.is_under_way = False


class Questions:
    """All that this process asks; every method from any thread."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], _Question] = {}
        self._late_until: dict[str, float] = {}  # by server, on the monotonic clock
        self._answered_at: dict[str, float] = {}  # likewise
        self._changed = threading.Condition()

    def ask(self, server: str, question: str, send: Send) -> bytes:
        """Its answer, or the last one where it is late; what was an error is raised again.

        EngineError where nothing came and nothing is known.
        """
        with self._changed:
            one = self._asked.setdefault((server, question), _Question())
            if not one.is_under_way:
                self._send(server, one, send)
            self._wait(server, one, one.sent)
            answer = one.answer
        if isinstance(answer, bytes):
            return answer
        raise answer.with_traceback(None) if answer else stuck()

    def learn(self, server: str, question: str, answer: bytes) -> None:
        """Somebody who took the time has this answer."""
        with self._changed:
            one = self._asked.setdefault((server, question), _Question())
            self._answer(server, one, answer)

    def forget_sent(self, server: str) -> None:
        """It has just changed something: an answer that is under way counts no more."""
        with self._changed:
            self._late_until.pop(server, None)
            for (where, _), one in self._asked.items():
                if where == server:
                    one.is_under_way, one.late_until = False, 0.0

    def silent_seconds(self, server: str) -> float:
        """How old is what is known of it, where it has stopped to answer; 0 where it answers."""
        with self._changed:
            now = time.monotonic()
            is_late = now < self._late_until.get(server, 0.0)
            age = now - self._answered_at.get(server, now)
            return age if is_late and age > HICCUP_SECONDS else 0.0

    def _send(self, server: str, one: _Question, send: Send) -> None:
        """With the lock held."""
        one.sent += 1
        one.sent_at, one.is_under_way = time.monotonic(), True
        arguments = (server, one, one.sent, send)
        threading.Thread(target=self._follow, args=arguments, name=THREAD, daemon=True).start()

    def _wait(self, server: str, one: _Question, number: int) -> None:
        """Until it is answered, or the time is over; with the lock held."""
        now = time.monotonic()
        give_up_at = now + patience.seconds()
        if now < max(one.late_until, self._late_until.get(server, 0.0)):
            return
        while one.ended < number:
            left = give_up_at - time.monotonic()
            if left <= 0:
                self._is_late(server, one)
                return
            self._changed.wait(left)

    def _is_late(self, server: str, one: _Question) -> None:
        one.late_until = self._late_until[server] = time.monotonic() + SILENT_SECONDS

    def _follow(self, server: str, one: _Question, number: int, send: Send) -> None:
        answer: bytes | BerthError | None = None
        try:
            answer = send()
        except BerthError as error:
            answer = error
        finally:
            with self._changed:
                if one.sent == number and one.is_under_way:
                    one.is_under_way = False
                    self._take(server, one, answer)
                one.ended = max(one.ended, number)
                self._changed.notify_all()

    def _take(self, server: str, one: _Question, answer: bytes | BerthError | None) -> None:
        """What came of a question; nothing in its time changes nothing that is known."""
        if answer is None or is_timeout(answer):
            self._is_late(server, one)
        else:
            self._answer(server, one, answer)

    def _answer(self, server: str, one: _Question, answer: bytes | BerthError) -> None:
        """What comes in its time shows that its server is not late with everything."""
        now = time.monotonic()
        one.answer, self._answered_at[server] = answer, now
        if now - one.sent_at <= patience.PAGE_SECONDS:
            self._late_until.pop(server, None)


def is_timeout(answer: bytes | BerthError) -> bool:
    """Did nothing come in time?"""
    return isinstance(answer, BerthError) and isinstance(answer.__cause__, httpx.TimeoutException)


class Silent(EngineError):
    """It takes connections and says nothing in time."""


def stuck() -> Silent:
    """What is said of a server of which nothing is known."""
    return Silent("Ollama does not answer.", "Restart Ollama; a busy one may only need time.")
