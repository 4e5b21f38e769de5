"""The same question to several models: which of them memory has room for at the same time.

Where it has not room for all, those that have to be loaded answer one after the other: each waits
for those before it, then takes the place of what an earlier comparison has loaded. A model that
ran before is left as it is. Nothing is loaded that does not fit.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lib.chat import replies
from lib.chat.reply import Reply, ReplyRequest
from lib.core.errors import BerthError, DoesNotFit
from lib.core.words import memory
from lib.engines import find_model, room, variants
from lib.engines.base import State
from lib.fit.memory import FULL
from lib.fleet import actions
from lib.fleet.ledger import needed_bytes
from lib.sharing import limits

FreeBytes = Callable[[], int]

_loaded: set[tuple[str, str]] = set()  # (engine, model) of what was loaded to be compared
_loading = threading.Lock()  # what is being loaded is not in the free memory's figure yet


class Contender(NamedTuple):
    """What a model that is to answer would take."""

    lane: int
    need_bytes: int  # of memory, beyond what it has; 0 for one that is loaded
    is_ours: bool  # loaded for an earlier comparison: it may be stopped


def queue(contenders: Sequence[Contender], free_bytes: int) -> list[int]:
    """The lanes that have to answer one after the other, in this order; none where all fit.

    Those in memory come first. A model that somebody else has started never waits.
    """
    if sum(each.need_bytes for each in contenders) <= FULL * free_bytes:
        return []
    waiting = [each for each in contenders if each.need_bytes or each.is_ours]
    return [each.lane for each in sorted(waiting, key=lambda each: each.need_bytes > 0)]


def start(requests: Sequence[ReplyRequest], free_bytes: FreeBytes = room.free_bytes) -> list[Reply]:
    """Begin a reply of each model; one that has to wait, fails or is stopped holds up no other."""
    return _Round(free_bytes).begun(requests)


class _Round:
    """Replies to one question; each passes here before its model is loaded."""

    def __init__(self, free_bytes: FreeBytes) -> None:
        self._free_bytes = free_bytes
        self._lock = threading.Lock()
        self._replies: list[Reply] = []
        self._queue: list[int] | None = None

    def begun(self, requests: Sequence[ReplyRequest]) -> list[Reply]:
        """The replies, each in a thread of its own."""
        with self._lock:  # none goes on before all are known
            self._replies = [replies.start(request, self.turn) for request in requests]
        return self._replies

    @contextlib.contextmanager
    def turn(self, reply: Reply) -> Iterator[None]:
        """The time in which this reply may load its model."""
        before = self._before(reply)
        if before is None:
            with _noting(reply.request):
                yield
            return
        _wait(reply, before)
        with _loading:
            if not reply.is_over:
                _make_room(reply.request, self._free_bytes)
            with _noting(reply.request):
                yield

    def _before(self, reply: Reply) -> list[Reply] | None:
        """What it has to wait for; None where it need not care."""
        with self._lock:
            if self._queue is None:
                self._queue = self._planned()
            lane = reply.request.lane
            if lane not in self._queue:
                return None
            earlier = self._queue[: self._queue.index(lane)]
            return [each for each in self._replies if each.request.lane in earlier]

    def _planned(self) -> list[int]:
        found = queue(self._contenders(), self._free_bytes())
        if found:  # what earlier comparisons have left may be in the way
            _unload(but=[_key(reply.request) for reply in self._replies])
            found = queue(self._contenders(), self._free_bytes())
        return found

    def _contenders(self) -> list[Contender]:
        """One whose model is not there does not count: it will say so itself."""
        found = []
        for request in (reply.request for reply in self._replies):
            with contextlib.suppress(BerthError):
                model = find_model(request.model, request.engine)
                needed = needed_bytes(model, variants.resolved(model.key, request.load))
                found.append(Contender(request.lane, needed, _key(request) in _loaded))
        return found


def _key(request: ReplyRequest) -> tuple[str, str]:
    return request.engine, request.model


@contextlib.contextmanager
def _noting(request: ReplyRequest) -> Iterator[None]:
    """Remember it where it is loaded in here, and not where it runs anyway or cannot be loaded."""
    was_idle = _is_idle(request)
    yield
    if was_idle and not _is_idle(request):
        _loaded.add(_key(request))


def _is_idle(request: ReplyRequest) -> bool:
    """Will it take memory when it is loaded?"""
    model = find_model(request.model, request.engine)
    return not model.place and model.state in (State.STOPPED, State.FAILED)


def _wait(reply: Reply, before: Sequence[Reply]) -> None:
    """Until all these are over, or the reply itself is; it says what it waits for."""
    news, said = threading.Event(), ""
    with contextlib.ExitStack() as stack:
        for each in (reply, *before):
            stack.enter_context(each.listening(news.set))
        while not reply.is_over:
            ahead = next((each.request.model for each in before if not each.is_over), "")
            if not ahead:
                return
            if ahead != said:
                reply.wait_for(ahead)
                said = ahead
            news.wait()
            news.clear()


def _make_room(request: ReplyRequest, free_bytes: FreeBytes) -> None:
    """Stop what comparisons have loaded; DoesNotFit where that is not enough for this model."""
    model = find_model(request.model, request.engine)
    needed = needed_bytes(model, variants.resolved(model.key, request.load))
    if not needed:
        return
    limits.require_loading(model)
    _unload(but=[_key(request)])
    free = free_bytes()
    if needed > FULL * free:
        raise DoesNotFit(
            f"“{model.name}” does not fit: it needs about {memory(needed)}, {memory(free)} are"
            " free.",
            "Stop another model or close other programs, then try again.",
        )


def _unload(but: Sequence[tuple[str, str]]) -> None:
    """Stop what comparisons have loaded, except what is answering."""
    for engine, name in [key for key in _loaded if key not in but]:
        if replies.is_answering(engine, name):
            continue
        with contextlib.suppress(BerthError):  # gone meanwhile, or busy for somebody else
            actions.stop(find_model(name, engine))
            _loaded.discard((engine, name))
