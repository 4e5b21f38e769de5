"""What runs now: one value a request in this process, gone with it.

Nothing is done for a token: who looks asks what counts the answer anyway.
"""

import itertools
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from lib.core.access import Action, require
from lib.core.errors import BerthError, Forbidden, NotFound
from lib.core.names import shown
from lib.requests import content, log
from lib.requests.content import Said
from lib.requests.log import LONGEST_NAME, Entry, Outcome

BUG = "bug"  # the code of what nobody expected


class StoppedByOwner(Forbidden, code="stopped_by_owner"):
    """Of a kind that clients do not ask again."""


class State(StrEnum):
    """Where a request is."""

    WAITING = "waiting"
    LOADING = "loading"  # its model is being started
    READING = "reading the prompt"
    ANSWERING = "answering"


class Progress(Protocol):
    """What counts an answer while it passes."""

    @property
    def events(self) -> int:
        """About as many tokens as have come."""

    @property
    def first_at(self) -> float:
        """When the first piece came, on the monotonic clock; 0 before."""

    def counted(self) -> tuple[int, int]:
        """At the end: tokens of the prompt, tokens of the reply."""


class Running(NamedTuple):
    """One request as it is now."""

    id: str
    at: float  # epoch seconds when it began
    seconds: float  # since then
    key: str
    who: str
    model: str
    route: str
    state: State
    tokens: int  # of the reply, so far; about
    first: float | None  # seconds until its first piece


_numbers = itertools.count(1)
_since = f"{time.time_ns() // 10**6:x}"  # so that no id is another dashboard's
_running: dict[str, "Doing"] = {}
_doing: ContextVar["Doing | None"] = ContextVar("doing", default=None)


class Doing:
    """One request from its arrival until its answer has ended; then it is written to the log."""

    def __init__(self, route: str) -> None:
        self.id = f"{_since}-{next(_numbers):x}"
        self.route = route
        self.model = self.who = self.key = ""
        self.keeps = False  # is what is said to be kept?
        self.ended_by: BerthError | None = None
        self._at, self.began = time.time(), time.monotonic()
        self._state = State.WAITING
        self._look: Callable[[], State] | None = None
        self._progress: Progress | None = None
        self._end: Callable[[], object] | None = None
        self._status, self._code, self._is_whole = 0, "", False
        self._asked = ""
        self._token: Token[Doing | None] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._token = _doing.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._token:
            _doing.reset(self._token)
        is_known = _running.pop(self.id, None) is not None
        if is_known and isinstance(error, Exception) and not self._code:
            self._code, self._status = BUG, self._status or 500
        if is_known or self._code:
            log.note(self._entry())

    def asks(self, model: str, who: str, key: str = "") -> None:
        """Who wants what; it is shown from here on."""
        self.names(model, who, key)
        _running[self.id] = self

    def names(self, model: str, who: str, key: str = "") -> None:
        """Who wants what, as far as it is known; for the log, where it is refused right away."""
        self.model, self.who, self.key = shown(model, LONGEST_NAME), who, key

    def says(self, fields: dict[str, object]) -> None:
        """What is asked, to be kept where the owner wants that."""
        if content.is_wanted():
            self.keeps, self._asked = True, content.asked(fields)

    def at(self, state: State) -> None:
        """Where it is now."""
        self._state = state

    def looks(self, look: Callable[[], State]) -> None:
        """`look` tells where it is."""
        self._look = look

    def hears(self, progress: Progress) -> None:
        """What counts its answer."""
        self._progress = progress

    def ends_by(self, act: Callable[[], object]) -> None:
        """`act` ends it from whatever thread; at once where its end was wanted before."""
        with self._lock:
            self._end = act
        if self.ended_by:
            act()

    def end(self, error: BerthError) -> None:
        """End it now; its client is told this."""
        with self._lock:
            self.ended_by = self.ended_by or error
            act = self._end
        if act:
            act()

    def check(self) -> None:
        """Raises what it was ended by."""
        if self.ended_by:
            raise self.ended_by

    def answered(self, status: int, code: str, is_whole: bool) -> None:
        """What the client got: a status (0: none), an error's code; and whether that was all."""
        self._status, self._code, self._is_whole = status, code, is_whole

    def now(self) -> Running:
        """As it is."""
        heard = self._progress
        # An engine may begin its stream with comments while it still reads the prompt.
        has_begun = heard and heard.events and heard.first_at
        first = heard.first_at - self.began if heard and has_begun else None
        state = self._look() if self._look else self._state
        return Running(
            id=self.id,
            at=self._at,
            seconds=time.monotonic() - self.began,
            key=self.key,
            who=self.who,
            model=self.model,
            route=self.route,
            state=State.ANSWERING if first is not None else state,
            tokens=heard.events if heard else 0,
            first=first,
        )

    def _entry(self) -> Entry:
        now, heard = self.now(), self._progress
        prompt, reply = heard.counted() if heard else (0, 0)
        return Entry(
            id=self.id,
            at=now.at,
            key=now.key,
            who=now.who,
            model=now.model,
            route=now.route,
            prompt=prompt,
            reply=reply,
            first=now.first,
            seconds=now.seconds,
            outcome=self._outcome(),
            status=self._status,
            code=self._code,
            said=Said(self._asked, getattr(heard, "every", b"")) if self.keeps else None,
        )

    def _outcome(self) -> Outcome:
        if self._is_whole and not self._code:
            return Outcome.DONE
        if self.ended_by:
            return Outcome.STOPPED
        return Outcome.FAILED if self._code else Outcome.LEFT


def doing(route: str) -> Doing:
    """What goes round one request: `with running.doing("/v1/messages") as request:`."""
    return Doing(route)


def current() -> Doing | None:
    """The request that this task or thread answers."""
    return _doing.get()


def at(state: State) -> None:
    """Where the request of this task is now; nothing where there is none."""
    if found := _doing.get():
        found.at(state)


def find(request_id: str) -> Doing:
    """The request, or NotFound where it runs no longer."""
    found = _running.get(request_id)
    if found is None:
        raise NotFound("This request does not run any more.", "Look for it in the log.")
    return found


def every() -> list[Running]:
    """All of them, the oldest first. For the owner."""
    require(Action.REQUESTS)
    return sorted((one.now() for one in tuple(_running.values())), key=lambda one: one.at)


def stop(request_id: str) -> None:
    """End it at once; NotFound where it is over. For the owner."""
    require(Action.REQUESTS)
    find(request_id).end(
        StoppedByOwner(
            "The owner of this machine stopped this request.", "Ask them before you ask again."
        )
    )


def stop_key(key: str, error: BerthError) -> int:
    """End all that came with this key; their clients are told `error`. How many there were."""
    found = [one for one in tuple(_running.values()) if one.key == key]
    for one in found:
        one.end(error)
    return len(found)
