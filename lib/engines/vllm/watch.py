"""Looks at places in the background, so that no page waits for one that does not answer.

Only while somebody asks: a look that is no longer fresh serves, and the next one is begun. What has
not been seen for long is waited for, but only for a moment for all places together, and where that
was in vain not again until it has been seen.
"""

import threading
import time
from collections.abc import Callable, Sequence

from lib.core import patience
from lib.core.errors import BerthError, EngineDown
from lib.engines.vllm import answers
from lib.engines.vllm.pulse import Pulse
from lib.engines.vllm.sight import Sight, Target, look

FRESH_SECONDS = 2.0  # of a place on this machine
FRESH_ELSEWHERE_SECONDS = 10.0
USABLE_SECONDS = 20.0
THREAD = "vllm-look"
FIRST_TOKEN_SECONDS = 0.5  # so long the first look at an engine waits for its first token


class _Watched:
    """One place: what was seen last, whether it makes tokens, and what is under way."""

    def __init__(self) -> None:
        self.sight: Sight | None = None
        self.pulse = Pulse()
        self.run = ""  # of its service, that the pulse is of
        self.is_looking = False
        self.is_late = False  # somebody waited in vain for the look that is under way
        self.is_asking = False  # for a token
        self.round = 0  # a look that began before the place was changed counts no more

    @property
    def seen(self) -> Sight | None:
        return self.sight and self.sight.model_copy(update={"pulse": self.pulse})

    def is_missing(self) -> bool:
        """Is it worth to wait for the look that is under way?"""
        may_wait = not self.is_late or patience.is_a_commands()
        return self.is_looking and may_wait and self.age_seconds() > USABLE_SECONDS

    def age_seconds(self) -> float:
        return time.monotonic() - self.sight.at if self.sight else float("inf")


class Watcher:
    """All places that were ever asked about in this process; every method from any thread."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._changed = threading.Condition()

    def sights(self, targets: Sequence[Target]) -> list[Sight | None]:
        """What is known of each, in their order; None where nothing is known yet."""
        give_up_at = time.monotonic() + patience.seconds()
        with self._changed:
            for target in targets:
                self._look_soon(target)
            while missing := self._missing(targets):
                if (left := give_up_at - time.monotonic()) <= 0:
                    for found in missing:
                        found.is_late = True
                    break
                self._changed.wait(left)
            return [self._of(target).seen for target in targets]

    def forget(self, target: Target) -> None:
        """What is known is out of date: the place was changed just now."""
        with self._changed:
            found = self._of(target)
            found.round += 1
            found.sight, found.is_looking, found.is_late = None, False, False

    def _of(self, target: Target) -> _Watched:
        return self._watched.setdefault(target.id, _Watched())

    def _missing(self, targets: Sequence[Target]) -> list[_Watched]:
        return [found for found in map(self._of, targets) if found.is_missing()]

    def _look_soon(self, target: Target) -> None:
        """With the lock held."""
        found = self._of(target)
        fresh_seconds = FRESH_SECONDS if target.unit else FRESH_ELSEWHERE_SECONDS
        if found.age_seconds() > fresh_seconds and not found.is_looking:
            found.is_looking = True
            _in_background(self._look, target, found.round, found.sight)

    def _look(self, target: Target, number: int, before: Sight | None) -> None:
        seen = None
        try:
            seen = look(target, before)
            self._ask_where_due(target, seen)
        finally:
            with self._changed:
                found = self._of(target)
                if found.round == number:
                    found.sight, found.is_looking = seen or found.sight, False
                    found.is_late = seen is None
                self._changed.notify_all()

    def _ask_where_due(self, target: Target, seen: Sight) -> None:
        """Begin to ask for a token; for the first of an engine, wait a moment."""
        is_up = seen.health == 200 if target.unit else seen.is_vllm
        with self._changed:
            found = self._of(target)
            run = seen.service.run if seen.service else ""
            if run != found.run:
                found.run, found.pulse = run, Pulse()
            found.pulse = found.pulse.read(seen.figures, seen.at)
            is_proven, now = found.pulse.is_proven, time.monotonic()
            if not (is_up and seen.models and found.pulse.is_due(now)) or found.is_asking:
                return
            found.is_asking, found.pulse = True, found.pulse.asked(now)
        asking = _in_background(self._ask, target, seen.models[0].id, run)
        if not is_proven:
            asking.join(FIRST_TOKEN_SECONDS)

    def _ask(self, target: Target, name: str, run: str) -> None:
        answer: Callable[[Pulse], Pulse] = _unchanged
        try:
            answer = _token(target, name)
        finally:
            with self._changed:
                found = self._of(target)
                found.is_asking = False
                if found.run == run:
                    found.pulse = answer(found.pulse)
                self._changed.notify_all()


def _token(target: Target, name: str) -> Callable[[Pulse], Pulse]:
    """Ask for one; what that makes of the pulse."""
    try:
        answers.token(target.url, name, target.key)
    except EngineDown:
        return _unchanged  # it ended: the next look will tell
    except BerthError:
        now = answers.figures(target.root)
        return lambda pulse: pulse.silent(now, time.monotonic())
    return lambda pulse: pulse.answered(time.monotonic())


def _unchanged(pulse: Pulse) -> Pulse:
    return pulse


def _in_background(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name=THREAD, daemon=True)
    thread.start()
    return thread
