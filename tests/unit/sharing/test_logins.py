"""Who is signed in, who is the same as whom, and how one is put out."""

import time

import pytest

from lib.core import activity
from lib.core.access import Actor, Role, acting
from lib.core.errors import Forbidden
from lib.core.rate import Rate
from lib.engines.base import ChatOptions, Model, State
from lib.sharing import guests, limits, logins
from lib.sharing.guests import LOGIN_SECONDS, PutOut
from lib.sharing.limits import TooMany, admit

READY = Model(name="some", engine="llamacpp", state=State.READY)


@pytest.fixture(autouse=True)
def _nobody_known(monkeypatch: pytest.MonkeyPatch) -> None:
    logins.forget()
    for module, name in ((limits, "_asked"), (guests, "_out"), (guests, "_tries")):
        monkeypatch.setattr(module, name, Rate(60))


def signed_in(address: str) -> str:
    """The id of a new login, seen once at this address."""
    proof = guests.proved(guests.sign_in(guests.access_code(), address))
    assert proof is not None
    logins.seen(proof.login, address, proof.since)
    return proof.login


def ask(login: str, *running: str) -> None:
    admit(Role.GUEST, login, READY, ChatOptions(), [Actor(Role.GUEST, one) for one in running])


def test_who_signs_in_again_does_not_ask_more_often() -> None:
    for _ in range(20):
        ask(signed_in("192.168.1.7"))
    with pytest.raises(TooMany, match="20 times in the last minute"):
        ask(signed_in("192.168.1.7"))
    ask(signed_in("192.168.1.8"))


def test_who_goes_to_another_address_does_not_ask_more_often() -> None:
    login = signed_in("192.168.1.7")
    for number in range(20):
        logins.seen(login, f"192.168.1.{number}", time.time())
        ask(login)
    with pytest.raises(TooMany):
        ask(login)


def test_who_signs_in_again_gets_no_second_reply_at_a_time() -> None:
    first, again, other = (signed_in(f"192.168.1.{last}") for last in (7, 7, 8))
    with pytest.raises(TooMany, match="still being answered"):
        ask(again, first)
    ask(other, first)


def test_without_an_address_each_login_is_one() -> None:
    ask("nobody knows me", "nor me")


def test_the_owner_sees_who_is_signed_in_the_last_first() -> None:
    first, second = signed_in("192.168.1.7"), signed_in("192.168.1.8")
    ask(first)
    found = guests.signed_in()
    assert [(one.id, one.address) for one in found] == [
        (second, "192.168.1.8"),
        (first, "192.168.1.7"),
    ]
    assert not found[0].asked_at
    assert found[1].asked_at >= found[1].since


def test_a_login_that_is_over_is_not_shown() -> None:
    logins.seen("old", "192.168.1.7", time.time() - LOGIN_SECONDS - 1)
    assert guests.signed_in() == []


def test_guests_see_nobody_and_put_nobody_out() -> None:
    login = signed_in("192.168.1.7")
    with acting(Role.GUEST, login):
        for refused in (guests.signed_in, lambda: guests.put_out(login)):
            with pytest.raises(Forbidden):
                refused()


def test_who_is_put_out_is_nobody_and_does_not_come_back_at_once() -> None:
    cookies = [guests.sign_in(guests.access_code(), f"192.168.1.{last}") for last in (7, 8)]
    mine, other = (guests.login_of(cookie) for cookie in cookies)
    logins.seen(mine, "192.168.1.7", time.time())
    guests.put_out(mine)
    assert guests.login_of(cookies[0]) == ""
    assert guests.login_of(cookies[1]) == other
    assert mine not in [one.id for one in guests.signed_in()]
    with pytest.raises(PutOut, match="ended your visit"):
        guests.sign_in(guests.access_code(), "192.168.1.7")
    assert guests.sign_in(guests.access_code(), "192.168.1.8")


def test_putting_out_several_is_kept_and_does_not_change_the_code() -> None:
    code, made = guests.access_code(), [signed_in(f"192.168.1.{last}") for last in (7, 8)]
    for login in made:
        guests.put_out(login)
    assert guests.access_code() == code
    assert set(guests._secrets().out) == set(made)


def test_a_new_code_forgets_everybody() -> None:
    signed_in("192.168.1.7")
    guests.change_code()
    assert guests.signed_in() == []


def test_not_more_than_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MOST", 3)
    for number in range(5):
        logins.seen(str(number), "192.168.1.7", time.time())
    assert logins.neighbours("4") == {"2", "3", "4"}


def test_a_guest_leaves_by_itself_and_its_cookie_is_worth_nothing() -> None:
    cookie = guests.sign_in(guests.access_code(), "192.168.1.7")
    login = guests.login_of(cookie)
    with acting(Role.GUEST, "another"), pytest.raises(Forbidden):
        guests.sign_out(login)
    with acting(Role.GUEST, login):
        guests.sign_out(login)
    assert guests.login_of(cookie) == ""
    assert guests.sign_in(guests.access_code(), "192.168.1.7")  # nobody was put out


def test_the_owner_signs_a_guest_out_who_may_come_again() -> None:
    cookie = guests.sign_in(guests.access_code(), "192.168.1.7", "Ada")
    guests.sign_out(guests.login_of(cookie))
    assert guests.login_of(cookie) == ""
    assert guests.signed_in() == []
    assert guests.sign_in(guests.access_code(), "192.168.1.7", "Ada")


def test_activity_names_the_guest() -> None:
    login = guests.login_of(guests.sign_in(guests.access_code(), "192.168.9.7", "Ada"))
    guests.put_out(login)
    kinds = [(one.kind, one.detail) for one in activity.about("Ada")]
    assert kinds == [("put out", "192.168.9.7"), ("signed in", "192.168.9.7")]


def test_what_a_guest_does_is_told_by_name() -> None:
    login = guests.login_of(guests.sign_in(guests.access_code(), "192.168.1.7", "Ada"))
    with acting(Role.GUEST, login):
        assert activity.who_acts() == "guest Ada"
    with acting(Role.GUEST, "nobody knows me"):
        assert activity.who_acts() == "guest"
