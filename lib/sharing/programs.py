"""Programs with an API key: who they are, before anything else looks at their request.

A key opens /v1 and nothing else, over the listener for the network as on this machine; a guest's
cookie never does. On this machine a program needs none unless the owner wants it to, and may then
send anything that is no key of ours, as many clients insist on sending something.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from lib.core import owner_key
from lib.core.access import Action, Actor, Role, require
from lib.core.errors import BerthError, NotFound
from lib.core.names import shown
from lib.core.rate import Rate
from lib.keys import errors, secret, spent, store
from lib.keys.key import Key

TRIES, TRIES_SECONDS = 10, 60.0  # of wrong keys, from one address
SHOWN_SECONDS = 3_600.0
MOST_MET = 10_000
_BEARER = re.compile(r"bearer +(\S{1,512})", re.IGNORECASE)
_LOCAL = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})

_log = logging.getLogger(__name__)
_readers = ThreadPoolExecutor(1, thread_name_prefix="keys")
_tries = Rate(TRIES_SECONDS)
_shown = Rate(SHOWN_SECONDS)
_met: dict[tuple[str, str], None] = {}  # addresses and the ids of keys that were right there


_speak: Callable[[str, BerthError], Any] | None = None


def speak_as(dialect: Callable[[str, BerthError], Any]) -> None:
    """`dialect` tells a refusal as a client of this path below /v1 reads it, as JSON."""
    global _speak
    _speak = dialect


def told(scope: Scope, error: BerthError) -> Any:
    """The body of the gate's refusal."""
    path = str(scope["path"])
    return _speak(path.removeprefix("/v1"), error) if _speak and _asks(scope) else error.as_json()


def headers(error: BerthError) -> list[tuple[bytes, bytes]]:
    """What is said beside it."""
    return list(getattr(error, "headers", ()))


def _asks(scope: Scope) -> bool:
    """Is this for the models?"""
    return f"{scope['path']}/".startswith("/v1/")


async def caller(scope: Scope, headers: Headers, *, is_far: bool) -> Actor | None:
    """Who a program with a key is; None for what needs none. Refusals are errors of lib.keys.

    `is_far`: it came over the listener for the network.
    """
    if not _asks(scope):
        return None
    if scope["type"] != "http":
        raise NotFound("The gateway has no WebSocket.", "Ask it over HTTP.")
    _check_address(scope)
    sent = _sent(headers)
    ours = next((one for one in sent if one.startswith(secret.PREFIX)), "")
    if not ours and not (is_far and sent):
        if is_far or owner_key.programs_need_one(sent):
            raise errors.ApiKeyNeeded(
                "Programs on other machines need an API key."
                if is_far
                else "Berth asks programs on this machine for an API key.",
                f"{errors.MAKE_ONE} {errors.SEND_IT}",
            )
        return None
    if not (store.is_fresh() and spent.is_known()):
        await asyncio.get_running_loop().run_in_executor(_readers, _look)
    address = scope["client"][0] if scope["client"] else ""
    return Actor(Role.PROGRAM, _proved(ours or sent[0], address).id)


def check(key: Key | None) -> None:
    """The key holds; else the reason, for one that was right once."""
    if key is None:
        raise errors.UnknownApiKey(
            "The owner has deleted this API key.", f"Use another one. {errors.MAKE_ONE}"
        )
    if key.is_disabled:
        raise errors.ApiKeyDisabled(
            f"The API key “{key.name}” is disabled.", "Ask the owner of this Berth to enable it."
        )
    if key.is_expired():
        raise errors.ApiKeyExpired(
            f"The API key “{key.name}” has expired.",
            "Ask the owner of this Berth for a later date, or for another key.",
        )


def wrong_keys() -> Mapping[str, int]:
    """How many wrong keys were sent in the last hour, by address; for the owner."""
    require(Action.CONFIGURE)
    return _shown.all_lately()


def _look() -> None:
    store.look()
    spent.look()


def _sent(headers: Headers) -> list[str]:
    """What was sent as a key, in every place where clients put one."""
    bearers = [_BEARER.fullmatch(one.strip()) for one in headers.getlist("authorization")]
    found = [one[1] for one in bearers if one]
    return found + [one.strip() for one in headers.getlist("x-api-key") if one.strip()]


def _check_address(scope: Scope) -> None:
    query = scope["query_string"]
    if query and secret.is_in(query.decode("latin-1")):
        raise errors.KeyInAddress(
            "An API key stands in the address of this request, where logs keep it.",
            f"{errors.SEND_IT} Have the owner make another one: this one may be known.",
        )


def _proved(sent: str, address: str) -> Key:
    """Whose key this is.

    Whoever sends wrong ones again and again is not told any more whether one is right, but where a
    key was right from that address before. Other addresses notice nothing of it.
    """
    place, key = neighbourhood(address), store.proved(sent)
    is_known = key is not None and ((place, key.id) in _met or address in _LOCAL)
    if not is_known and _tries.lately(place) >= TRIES:
        raise errors.TooManyWrongKeys(
            "Too many wrong API keys were sent from this address.",
            "Stop the program that sends them, wait a minute, then try again.",
            TRIES_SECONDS,
        )
    if key is None:
        raise _wrong(place)
    check(key)
    _meet(place, key)
    return key


def _wrong(place: str) -> BerthError:
    if said := store.problem():
        return errors.KeysUnreadable(
            f"Berth cannot read its API keys now: {shown(said, 200)}.", "Try again in a moment."
        )
    _tries.count(place)
    _shown.count(place)
    _log.warning("A wrong API key was sent from %s.", shown(place) or "an unknown address")
    return errors.UnknownApiKey(
        "This API key is not one of this Berth's.",
        f"It may be mistyped, or deleted. {errors.MAKE_ONE}",
    )


def _meet(place: str, key: Key) -> None:
    if (place, key.id) not in _met:
        _met[place, key.id] = None
        while len(_met) > MOST_MET:
            del _met[next(iter(_met))]


def neighbourhood(address: str) -> str:
    """Whoever has an IPv6 address has 2^64 of them: they count as one."""
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if given.version == 4:
        return address
    if given.ipv4_mapped:
        return str(given.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(given), 64), strict=False))
