"""The owner's key, for where the owner wants to be asked for one on this machine too.

It stands in a private file. Programs send it as their API key; a browser comes by a link with it,
and gets a cookie that is made from it, so that the key itself is not kept there.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from lib.core import preferences
from lib.core.access import Action, require
from lib.core.errors import Conflict
from lib.core.files import write_text
from lib.core.settings import settings

PARAMETER = "key"  # of the link
COOKIE = "berth_key_"  # its name begins so
_KEY = re.compile(r"[\w-]{32,128}", re.ASCII)


def is_asked_for() -> bool:
    """Does the owner want everybody to have the key? Asked for every request."""
    chosen, problem = preferences.look()
    return chosen.require_key or _is_shut(problem)


def programs_need_one(sent: Iterable[str]) -> bool:
    """Does a program on this machine, which has sent these, lack an API key?

    With the owner's own key it is the owner.
    """
    return _asks_programs() and not any(map(is_key, sent))


def _asks_programs() -> bool:
    chosen, problem = preferences.look()
    return chosen.programs_need_key or _is_shut(problem)


def _is_shut(problem: str) -> bool:
    """Settings that cannot be used do not open a door again: who has a key had asked for it."""
    return bool(problem) and _path().exists()


def choose(is_wanted: bool) -> None:
    """Ask for the key from now on, or no longer; Conflict where it cannot be kept."""
    require(Action.CONFIGURE)
    if is_wanted:
        _key()
    preferences.change(require_key=is_wanted)


def choose_for_programs(is_wanted: bool) -> None:
    """Ask programs on this machine for an API key from now on, or no longer."""
    require(Action.CONFIGURE)
    if is_wanted:
        _key()  # what Berth's own programs send
    preferences.change(programs_need_key=is_wanted)


def link(address: str) -> str:
    """What the owner opens in a browser that does not have the key yet."""
    require(Action.CONFIGURE)
    return f"{address}/?{PARAMETER}={_key()}"


def authorization() -> dict[str, str]:
    """The header that a program of the owner's sends; none where no key is asked for."""
    key = sent()
    return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def sent() -> SecretStr | None:
    """The key as a program of the owner's sends it; None where none is asked for."""
    return SecretStr(_key()) if is_asked_for() or _asks_programs() else None


def is_key(given: str) -> bool:
    """Is this the key?"""
    return hmac.compare_digest(given.encode("utf-8", "replace"), _key().encode())


def cookie(user: int | None) -> tuple[str, str]:
    """Name and value of what a browser keeps in place of the key, for connections of this user.

    To a browser all ports of a machine are one: it sends the cookie to what another user runs there
    too, who then has nothing that opens a connection of theirs. Another Berth may run there as
    well, so each key has a name of its own.
    """
    return f"{COOKIE}{_signed('name')[:8]}", _signed(f"user {user}")


def is_cookie(given: str, user: int | None) -> bool:
    """Was this value made from the key, for this user's connections?"""
    return hmac.compare_digest(given, cookie(user)[1])


def _signed(what: str) -> str:
    return hmac.new(_key().encode(), what.encode(), "sha256").hexdigest()


def _key() -> str:
    """The key; a file that is absent or broken is replaced, and what was made from it ends."""
    try:
        found = _path().read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        found = ""
    return found if _KEY.fullmatch(found) else _made()


def _made() -> str:
    key = secrets.token_urlsafe(32)
    try:
        write_text(_path(), f"{key}\n")
    except OSError as error:
        raise Conflict(
            f"{_path()} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error
    return key


def _path() -> Path:
    return settings().owner_key
