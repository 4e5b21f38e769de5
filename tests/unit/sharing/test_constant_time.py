"""Codes, keys and cookies are compared so that the time tells nothing of how much was right.

No clock is looked at: where the comparison that takes the same time for all says no, nothing is
let in, so there is no other comparison before or after it.
"""

import hmac
import os
import secrets
from collections.abc import Callable

import pytest

from lib.core import owner_key
from lib.keys import store
from lib.keys.key import NewKey
from lib.sharing import guests
from lib.sharing.guests import WrongCode


def right_code() -> bool:
    try:
        guests.sign_in(guests.access_code(), "")
    except WrongCode:
        return False
    return True


def right_key() -> bool:
    return owner_key.is_key(owner_key.link("").partition("=")[2])


def right_cookie() -> bool:
    return owner_key.is_cookie(owner_key.cookie(os.geteuid())[1], os.geteuid())


def right_api_key() -> bool:
    _, secret = store.create(NewKey(name=secrets.token_hex(4)))
    store.look()
    return store.proved(secret) is not None


PROOFS = {
    "code": (right_code, secrets),
    "key": (right_key, hmac),
    "cookie": (right_cookie, hmac),
    "API key": (right_api_key, hmac),
}


@pytest.mark.parametrize(("is_let_in", "module"), PROOFS.values(), ids=list(PROOFS))
def test_one_comparison_decides_and_it_takes_the_same_time_for_all(
    is_let_in: Callable[[], bool], module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_let_in()
    monkeypatch.setattr(module, "compare_digest", lambda one, other: False)
    assert not is_let_in()


def test_a_signature_is_compared_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = guests.sign_in(guests.access_code(), "")
    assert guests.proved(cookie)
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: False)
    assert guests.proved(cookie) is None
