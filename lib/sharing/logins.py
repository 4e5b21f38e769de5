"""Which guests are signed in: from where, since when, and when each asked last.

What stands here is what was seen since Berth began; whether a login holds is for guests.py to say.
"""

import itertools
import threading
import time
from typing import NamedTuple

from lib.core import activity
from lib.core.access import Action, require

MOST = 1_000  # beyond it those are forgotten that were seen least lately


class Login(NamedTuple):
    """One guest; the moments are in epoch seconds."""

    id: str
    address: str
    since: float
    seen_at: float
    asked_at: float = 0.0  # 0: not since Berth began
    name: str = ""


_known: dict[str, Login] = {}  # seen least lately first
_lock = threading.Lock()


def seen(login: str, address: str, since: float, name: str = "") -> None:
    """A guest with this login and this name came from this address."""
    with _lock:
        before = _known.pop(login, None)
        asked_at = before.asked_at if before else 0.0
        _known[login] = Login(login, address, since, time.time(), asked_at, name)
        while len(_known) > MOST:
            del _known[next(iter(_known))]


def asked(login: str) -> None:
    """The guest asks a model something."""
    with _lock:
        if known := _known.get(login):
            _known[login] = known._replace(asked_at=time.time())


def address_of(login: str) -> str:
    """Where the guest came from last; "" where that is not known."""
    known = _known.get(login)
    return known.address if known else ""


def name_of(login: str) -> str:
    """What the guest is called; "" where that is not known."""
    known = _known.get(login)
    return known.name if known else ""


activity.know_guests(name_of)


def free_name(wanted: str) -> str:
    """This name, or one like it that no other guest has; `Guest 2` for who wants none."""
    with _lock:
        taken = {one.name.casefold() for one in _known.values()}
    tries = (f"{wanted or 'Guest'} {number}" for number in itertools.count(2 if wanted else 1))
    every = itertools.chain([wanted] if wanted else [], tries)
    return next(name for name in every if name.casefold() not in taken)


def neighbours(login: str) -> frozenset[str]:
    """This login, and the others from the same address: whoever signs in again is the same."""
    with _lock:
        address = address_of(login)
        others = [one.id for one in _known.values() if address and one.address == address]
    return frozenset({login, *others})


def forget(login: str = "") -> None:
    """It has ended; all have where none is named."""
    with _lock:
        for one in [login] if login else list(_known):
            _known.pop(one, None)


def known(since: float) -> list[Login]:
    """Those that began after this moment, the ones seen last first; for the owner."""
    require(Action.CONFIGURE)
    with _lock:
        found = [one for one in _known.values() if one.since > since]
    return found[::-1]
