"""Who the owner is, of those who come from this machine.

Where the system tells whose a connection is, only programs of Berth's own user are the owner's: not
those of other users, and no proxy or forwarder that runs as one, whatever headers it adds or leaves
out. Where it does not tell, everybody on this machine is. Instead the owner may have Berth ask for
a key. Whoever sends the key is the owner then, as any user. A browser that came by the link has a
cookie in its place, which counts for connections of the same user alone.
"""

import re
from enum import Enum
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from lib.core import owner_key
from lib.core.access import NotSignedIn
from lib.dashboard import HOST
from lib.machine import peer_user
from lib.machine.peer_user import GONE
from lib.machine.socket_diag import End

CONNECTION = "berth.connection"  # in the scope: what is known of the connection while it is open
COOKIE_SECONDS = 400 * 86_400  # the longest that browsers keep

_LOCAL_PEERS = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_OWN_SITES = ("same-origin", "none")
_BEARER = re.compile(r"bearer +(\S{1,256})", re.IGNORECASE)
_KEY_COOKIE = re.compile(rf"(?:^|;) *{owner_key.COOKIE}[0-9a-f]{{8}}=([0-9a-f]{{64}})(?= *(?:;|$))")


class OtherUser(NotSignedIn, code="other_user"):
    """The connection is another user's of this machine."""


class KeyNeeded(NotSignedIn, code="key_needed"):
    """The owner wants everybody to have the key."""


class Guard(Enum):
    """What keeps others on this machine out."""

    KEY = "key"
    USER = "user"  # the system tells whose a connection is
    ADDRESS = "address"  # nothing but that it comes from this machine


def guard(port: int) -> Guard:
    """What holds now, for connections to this port."""
    if owner_key.is_asked_for():
        return Guard.KEY
    return Guard.USER if peer_user.is_told(End(HOST, port)) else Guard.ADDRESS


def check(scope: Scope, headers: Headers) -> None:
    """NotSignedIn with the reason, unless the owner sent this."""
    if not scope["client"] or scope["client"][0] not in _LOCAL_PEERS:
        raise NotSignedIn("This is not the machine Berth runs on.", "Open it there.")
    if owner_key.is_asked_for():
        sent = _BEARER.fullmatch(headers.get("authorization", ""))
        if not (sent and owner_key.is_key(sent[1])):
            _check_key_cookie(scope, headers)
    else:
        _check_user(scope)


def entry(scope: Scope) -> Response | None:
    """The answer to a visit by the link with the key; None for any other request.

    The next address is without it. A browser that came along another site's link would not send
    the new cookie when it is led on, only when the page itself goes on.
    """
    if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
        return None
    request = Request(scope)
    if owner_key.PARAMETER not in request.query_params:
        return None
    is_led = request.headers.get("sec-fetch-site", "none") in _OWN_SITES
    answer = RedirectResponse("/", 303) if is_led else Response(headers={"Refresh": "0; url=/"})
    answer.headers["Cache-Control"] = "no-store"
    if owner_key.is_asked_for():
        if not owner_key.is_key(request.query_params[owner_key.PARAMETER]):
            raise _key_needed("This is not the key of this Berth.")
        name, value = owner_key.cookie(_user(scope))
        answer.set_cookie(name, value, COOKIE_SECONDS, httponly=True, samesite="strict")
    return answer


def _check_key_cookie(scope: Scope, headers: Headers) -> None:
    known, user = _KEY_COOKIE.findall(headers.get("cookie", "")), _user(scope)
    if user == GONE or not any(owner_key.is_cookie(value, user) for value in known):
        raise _key_needed("Berth asks for its key here.")


def _key_needed(what: str) -> KeyNeeded:
    return KeyNeeded(
        what,
        "Open the link that ./setup.sh prints in a terminal; programs send as their API key what "
        "stands in the file owner.key, beside Berth's settings.",
    )


def _check_user(scope: Scope) -> None:
    user, own = _user(scope), peer_user.own()
    if user in (None, own):
        return
    if user == GONE:
        raise OtherUser("Nobody is at the other end of this connection.", "Keep it open.")
    name, mine = peer_user.name_of(user), peer_user.name_of(own)
    raise OtherUser(
        f"This connection is the user {name}'s, and Berth runs for {mine} alone.",
        f"Run the program as {mine}. Or have Berth ask for its key (System, Sharing; or "
        "`require_key = true` in settings.toml): then who has that is let in, as any user.",
    )


def _user(scope: Scope) -> int | None:
    """Whose the connection is; asked once for each, where the server keeps what is known of it."""
    known: dict[str, Any] = scope.get(CONNECTION, {})
    if "user" not in known:
        known["user"] = peer_user.user_of(End(*scope["client"]), End(*scope["server"]))
    user: int | None = known["user"]
    return user
