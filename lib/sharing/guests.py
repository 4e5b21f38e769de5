"""Guests: the access code that lets them in, and the cookie by which they are known again.

Code and signing key stand in one private file. A new key ends every login at once.
"""

import logging
import re
import secrets
import threading
import time
import unicodedata
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.core import activity
from lib.core.access import Action, Actor, Role, current, require
from lib.core.activity import Kind
from lib.core.errors import Conflict, Forbidden
from lib.core.files import read_json, write_json
from lib.core.rate import Rate
from lib.core.settings import settings
from lib.sharing import logins
from lib.sharing.logins import Login

COOKIE = "berth_guest"
# A browser sends the second one encrypted alone, and takes it from nobody who is not this host.
COOKIES = {"http": COOKIE, "https": f"__Host-{COOKIE}"}
LOGIN_SECONDS = 7 * 86_400
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike
LETTERS_IN_CODE = 8  # 40 bits, which at the tries below would take centuries
LONGEST_TYPED = 64
LONGEST_NAME = 32
TRIES, TRIES_SECONDS = 5, 60.0  # wrong codes of one address
SHOWN_SECONDS = 3_600.0  # so long the owner is told of them
OUT_SECONDS = 3_600.0  # so long nobody signs in at an address from where a guest was put out


# Marks of one letter; some scripts need two, and a heap of them covers other lines.
_MARK = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACKED = re.compile(rf"({_MARK}{{2}}){_MARK}+")
_log = logging.getLogger(__name__)


class WrongCode(Forbidden, code="wrong_code"):
    """The access code is not the one that the owner sees."""


class TooManyTries(Forbidden, code="too_many_tries", status=429):
    """Somebody may be guessing."""


class PutOut(Forbidden, code="put_out"):
    """The owner does not want this guest now."""


class Proof(NamedTuple):
    """What a cookie of ours proves."""

    login: str
    since: float  # epoch seconds
    until: float
    name: str = ""  # as the guest typed it


class _Secrets(BaseModel):
    model_config = ConfigDict(frozen=True)

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    code: str = Field(pattern=rf"^[{LETTERS}]{{{LETTERS_IN_CODE}}}$")
    out: dict[str, float] = {}  # logins that were ended before their time, and when that is


_tries = Rate(TRIES_SECONDS)
_shown = Rate(SHOWN_SECONDS)
_out = Rate(OUT_SECONDS)
_noted = Rate(OUT_SECONDS)
_ending = threading.Lock()


def access_code() -> str:
    """The code as it is shown, like `k7mw-x3pd`; made when it is first asked for."""
    require(Action.CONFIGURE)
    code = _secrets().code
    return f"{code[:4]}-{code[4:]}"


def change_code() -> None:
    """Another code; whoever signed in with the old one has to sign in again."""
    require(Action.CONFIGURE)
    _keep(_new())
    logins.forget()


def end_logins() -> None:
    """Whoever signed in has to sign in again, with the same code."""
    require(Action.CONFIGURE)
    _keep(_new().model_copy(update={"code": _secrets().code}))
    logins.forget()


def put_out(login: str) -> None:
    """End one login; at its address nobody signs in for an hour."""
    require(Action.CONFIGURE)
    name, address = logins.name_of(login) or "A guest", logins.address_of(login)
    _end(login)
    if address:
        _out.count(address)
    activity.note(Kind.PUT_OUT, name, address)


def sign_out(login: str) -> None:
    """End one login, whose cookie is worth nothing then; for the owner, and the guest itself."""
    if current() != Actor(Role.GUEST, login):
        require(Action.CONFIGURE)
    _end(login)


def _end(login: str) -> None:
    with _ending:
        now, known = time.time(), _secrets()
        out = {one: until for one, until in known.out.items() if until > now}
        _keep(known.model_copy(update={"out": {**out, login: now + LOGIN_SECONDS}}))
    logins.forget(login)


def signed_in() -> list[Login]:
    """The guests whose login holds and who came since Berth began, the last first; the owner's."""
    return logins.known(time.time() - LOGIN_SECONDS)


def sign_in(typed: str, address: str, called: str = "") -> str:
    """The cookie's value for a visitor from this address who typed the code, and perhaps a name.

    PutOut, WrongCode, or TooManyTries after some of those, from this address alone: whoever guesses
    from many keeps nobody out, and would need centuries. Case, spaces and hyphens do not matter.
    """
    if _out.lately(address):
        raise PutOut("The owner has ended your visit.", "Ask the owner, or try again in an hour.")
    if _tries.lately(address) >= TRIES:
        raise TooManyTries("Too many wrong codes were typed.", "Wait a minute, then try again.")
    known, code = _secrets(), _plain(typed)
    if not secrets.compare_digest(code.encode("utf-8", "replace"), known.code.encode()):
        _tries.count(address)
        _shown.count(address)
        _log.warning("A wrong access code was typed at %s.", address or "an unknown address")
        raise WrongCode(
            "This is not the access code.", "The owner of this machine sees it on the System page."
        )
    name = logins.free_name(guest_name(called))
    if not _noted.lately(address):  # whoever knows the code cannot fill the list with it
        activity.note(Kind.SIGNED_IN, name, address, who="guest")
    _noted.count(address)
    login = secrets.token_hex(16)  # like the id of an owner's browser
    logins.seen(login, address, time.time(), name)
    return _signer(known).dumps([login, name])


def wrong_codes() -> dict[str, int]:
    """How many wrong codes were typed in the last hour, by address; for the owner."""
    require(Action.CONFIGURE)
    return _shown.all_lately()


def login_of(cookie: str) -> str:
    """The id of the login that this cookie's value proves; "" where it proves none."""
    proof = proved(cookie)
    return proof.login if proof else ""


def proved(cookie: str) -> Proof | None:
    """What this cookie's value proves; None where that is nothing, or no longer."""
    known = _secrets()
    try:
        login, at = _signer(known).loads(cookie, max_age=LOGIN_SECONDS, return_timestamp=True)
    except BadData:
        return None
    name = ""
    if isinstance(login, list):  # before guests had names it was the id alone
        login, name = login
    since = at.timestamp()
    until = since + LOGIN_SECONDS + 1  # the signature counts in whole seconds
    return None if login in known.out else Proof(str(login), since, until, str(name))


def guest_name(called: str) -> str:
    """What a guest wants to be called, in one short line of letters that show; may be empty."""
    plain = unicodedata.normalize("NFC", called[: 4 * LONGEST_NAME])
    spaced = "".join(" " if one.isspace() else one for one in plain)
    shown = "".join(one for one in spaced if unicodedata.category(one)[0] != "C")
    return " ".join(_STACKED.sub(r"\1", shown).split())[:LONGEST_NAME].strip()


def _plain(typed: str) -> str:
    return "".join(typed[:LONGEST_TYPED].lower().replace("-", " ").split())


def _signer(known: _Secrets) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(known.key, salt=COOKIE)


def _secrets() -> _Secrets:
    """What the file says; a file that is absent or broken is replaced, which ends every login."""
    try:
        return _Secrets.model_validate(read_json(_path()))
    except ValidationError:
        return _keep(_new())


def _new() -> _Secrets:
    code = "".join(secrets.choice(LETTERS) for _ in range(LETTERS_IN_CODE))
    return _Secrets(key=secrets.token_hex(32), code=code)


def _keep(new: _Secrets) -> _Secrets:
    try:
        write_json(_path(), new.model_dump())
    except OSError as error:
        raise Conflict(
            f"{_path()} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error
    return new


def _path() -> Path:
    return settings().home / "guests.json"
