"""Replies that are being written or were lately: begun, found by their owner, forgotten."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence

from pydantic import ValidationError

from lib.chat import spools, told
from lib.chat.reply import (
    Place,
    Reply,
    ReplyRequest,
    ReplyState,
    Turn,
)
from lib.core.access import Action, carried, require
from lib.core.errors import BadInput, NotFound
from lib.engines.base import Model

KEPT = 200
LAST = 8  # that a page may have lost all at once

_running: dict[str, Reply] = {}
_watchers: dict[Place, set[Callable[[Reply], None]]] = {}


def start(
    request: ReplyRequest,
    turn: Turn | None = None,
    who: str | None = None,
    seen: Model | None = None,
) -> Reply:
    """Begin a reply; it goes on whatever happens to the page that asked.

    Where `turn` is given, the model is loaded within it. It counts as asked by `who`, else by
    whoever acts now. The model needs no looking for where it was `seen` lately and still runs.
    """
    require(Action.CHAT)
    if not request.messages:
        raise BadInput("There is nothing to answer.", "Write a message first.")
    reply = Reply(secrets.token_hex(16), request, turn, who, seen)
    reply.open()
    _running[reply.id] = reply
    for watcher in tuple(_watchers.get(request.place, ())):
        watcher(reply)
    work = carried(_live)
    threading.Thread(target=work, args=(reply,), name=f"reply-{reply.id[:8]}", daemon=True).start()
    return reply


def _live(reply: Reply) -> None:
    """A reply's whole life, in its own thread."""
    try:
        with told.shown(reply):
            reply.run()
    finally:
        _prune()


@contextlib.contextmanager
def watching(place: Place, watcher: Callable[[Reply], None]) -> Iterator[None]:
    """`watcher` gets every reply that begins in this place, at once."""
    watchers = _watchers.setdefault(place, set())
    watchers.add(watcher)
    try:
        yield
    finally:
        watchers.discard(watcher)
        if not watchers:
            _watchers.pop(place, None)


def is_watched(place: Place) -> bool:
    """Is a page open that draws what begins in this place?"""
    return place in _watchers


def current(place: Place) -> Reply | None:
    """The reply that is being written in this place."""
    for reply in tuple(_running.values()):
        if reply.request.place == place and not reply.is_over:
            return reply
    return None


def is_answering(engine: str, model: str) -> bool:
    """Is a reply of this model being written, or the model being loaded for one?"""
    return any(
        (reply.request.engine, reply.request.model) == (engine, model)
        and reply.state != ReplyState.WAITING
        and not reply.is_over
        for reply in tuple(_running.values())
    )


def stop_all(found: Sequence[Reply]) -> None:
    """End them now, those first that would take the place of another."""
    for reply in sorted(found, key=lambda reply: reply.state != ReplyState.WAITING):
        reply.stop()


def under_way(owner: str) -> list[Reply]:
    """The replies that are being written for this one."""
    found = tuple(_running.values())
    return [reply for reply in found if reply.request.owner == owner and not reply.is_over]


def find(reply_id: str, owner: str) -> Reply:
    """The reply, if it is this owner's; NotFound says nothing about others' replies."""
    reply = _running.get(reply_id) or _from_disk(reply_id)
    if reply is None or reply.request.owner != owner:
        raise NotFound("This reply is not kept any more.", "Ask again.")
    return reply


def forget(reply: Reply) -> None:
    """End it, and keep nothing of it."""
    reply.stop()
    _running.pop(reply.id, None)
    spools.forget(reply.id)


def latest(conversation: str, owner: str) -> list[Reply]:
    """The newest reply of a conversation, if this owner may see it, and those compared with it."""
    found: list[Reply] = []
    for reply_id in spools.newest(conversation, owner):
        with contextlib.suppress(NotFound):
            reply = find(reply_id, owner)
            if found and (not reply.request.round or reply.request.round != found[0].request.round):
                break
            found.append(reply)
    return sorted(found, key=lambda reply: reply.request.lane)


def kept(conversation: str, owner: str) -> list[Reply]:
    """The last replies of a conversation that are kept, if this owner may see it, oldest first."""
    found = []
    for reply_id in spools.newest(conversation, owner)[:LAST]:
        with contextlib.suppress(NotFound):
            found.append(find(reply_id, owner))
    return found[::-1]


def _from_disk(reply_id: str) -> Reply | None:
    found = spools.read(reply_id)
    if found is None:
        return None
    header, asked, entries = found
    try:
        reply = Reply(reply_id, ReplyRequest.model_validate(asked))
    except ValidationError:
        return None
    reply.created = header.created
    reply.replay(entries)
    return reply


def _prune() -> None:
    """Forget what is too much of the replies that are over."""
    over = [(reply.request.owner, reply) for reply in tuple(_running.values()) if reply.is_over]
    for reply in spools.surplus(sorted(over, key=lambda one: one[1].created), KEPT):
        _running.pop(reply.id, None)
    spools.prune(KEPT, _running)
