"""What pages have changed lately, until it is sure that their browsers have stored it.

A page changes a conversation here, and its browser stores that a moment later: whoever loads the
page again between the two gets a copy from before. What it lacks is kept here for a while.
"""

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from lib.chat.conversations import Turn

SECONDS = 120.0
CONVERSATIONS = 256
EACH = 20


class Change(NamedTuple):
    """One save: the turns that changed, and what the stored copy's revision is to become."""

    known: str  # the revision of the copy that it changes; empty for a first one
    revision: str
    turns: tuple[Turn, ...]
    leaf: str  # the end of the branch that is shown
    at: float  # monotonic seconds


_lock = threading.Lock()
_changes: OrderedDict[tuple[str, str], list[Change]] = OrderedDict()


def note(
    conversation: str, owner: str, known: str, revision: str, turns: Sequence[Turn], leaf: str
) -> None:
    """These turns are on their way to the browser."""
    now, key = time.monotonic(), (conversation, owner)
    # Whoever goes on changes the turns themselves.
    change = Change(known, revision, tuple(map(copy.copy, turns)), leaf, now)
    with _lock:
        fresh = [one for one in _changes.pop(key, ()) if now - one.at < SECONDS]
        _changes[key] = [*fresh, change][-EACH:]
        while len(_changes) > CONVERSATIONS:
            _changes.popitem(last=False)


def missed(conversation: str, owner: str, stored: str) -> list[Change]:
    """What a copy of this revision lacks, in its order; nothing where another tab has saved."""
    now, found = time.monotonic(), list[Change]()
    with _lock:
        for change in _changes.get((conversation, owner), ()):
            if change.known == stored and now - change.at < SECONDS:
                found.append(change)
                stored = change.revision
    return found


def caught_up(turns: Sequence[Turn], changes: Sequence[Change]) -> list[Turn]:
    """The turns of a stored copy with what it lacks."""
    found = {turn["id"]: turn for turn in turns}
    for change in changes:
        found.update({turn["id"]: copy.copy(turn) for turn in change.turns})
    return list(found.values())
