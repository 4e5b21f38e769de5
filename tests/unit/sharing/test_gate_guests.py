"""The gate of the guests' listener, asked directly: who waits in the lobby, and who is a guest."""

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.access import Role
from lib.sharing import guests
from lib.sharing.gate import LISTENER
from tests.support.gate import HOST, JSON, LAN, Header, Visit, visit


def test_another_listener_never_makes_an_owner() -> None:
    assert visit(HOST, **{LISTENER: LAN}).status == 421
    assert visit(("Host", LAN), **{LISTENER: LAN}).app_saw == []
    assert len(visit(("Host", LAN), **{LISTENER: LAN}).lobby_saw) == 1


def signed_in() -> Header:
    cookie = guests.sign_in(guests.access_code(), "192.168.1.7")
    return ("Cookie", f"a=b; {guests.COOKIE}={cookie}; c=d")


def guest_visit(*headers: Header, kind: str = "http", **more: Any) -> Visit:
    own = [("Host", LAN)] if not any(name == "Host" for name, _ in headers) else []
    return visit(*own, *headers, kind=kind, peer="192.168.1.7", **{LISTENER: LAN}, **more)


@pytest.mark.parametrize("peer", ["192.168.1.7", "127.0.0.1", "::1"])
def test_a_login_makes_a_guest_of_whoever_comes_from_anywhere(peer: str) -> None:
    cookie = signed_in()
    seen = visit(("Host", LAN), cookie, peer=peer, **{LISTENER: LAN})
    assert [actor.role for actor in seen.actors] == [Role.GUEST]
    assert re.fullmatch("[0-9a-f]{32}", seen.actors[0].who)
    assert (b"x-berth-role", b"guest") in seen.inner_headers
    assert (b"x-berth-who", seen.actors[0].who.encode()) in seen.inner_headers


def test_a_login_counts_for_nothing_at_the_owners_listener() -> None:
    seen = visit(HOST, signed_in())
    assert [actor.role for actor in seen.actors] == [Role.OWNER]
    assert visit(HOST, signed_in(), peer="192.168.1.7").status == 401


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_has_not_signed_in_waits_in_the_lobby(kind: str) -> None:
    origin = ("Origin", f"http://{LAN}")
    for cookie in ("", f"{guests.COOKIE}=", f"{guests.COOKIE}=a.b.c", "berth_browser=" + "a" * 32):
        seen = guest_visit(origin, ("Cookie", cookie), kind=kind)
        assert (len(seen.lobby_saw), seen.app_saw) == (1, [])


def test_the_login_itself_is_always_the_lobbys() -> None:
    assert guest_visit(signed_in(), JSON, method="POST", path="/api/login").lobby_saw
    assert guest_visit(signed_in(), JSON, method="POST", path="/api/logins").app_saw


@pytest.mark.parametrize(
    "host", ["localhost:8501", "127.0.0.1:8501", "192.168.1.5", "192.168.1.5:8502", "evil.example"]
)
def test_guests_name_the_very_address_that_is_shared(host: str) -> None:
    assert guest_visit(("Host", host), signed_in()).status == 421


def test_a_guests_websocket_names_its_page() -> None:
    cookie = signed_in()
    assert guest_visit(cookie, ("Origin", f"http://{LAN}"), kind="websocket").app_saw
    assert not guest_visit(cookie, kind="websocket").app_saw
    assert not guest_visit(cookie, ("Origin", "http://192.168.1.5"), kind="websocket").app_saw


@pytest.mark.parametrize("path", ["/v1", "/v1/models", "/v1/chat/completions"])
def test_programs_of_guests_need_a_key(path: str) -> None:
    for headers in ([signed_in()], []):
        seen = guest_visit(*headers, path=path)
        assert (seen.status, seen.code, seen.lobby_saw) == (401, "api_key_needed", [])
    assert guest_visit(signed_in(), path="/v10").app_saw


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_a_guest_does_not_come_through_a_proxy(name: str) -> None:
    assert guest_visit(signed_in(), (name, "127.0.0.1")).status == 401
    assert guest_visit((name, "127.0.0.1")).lobby_saw == []


def test_a_guests_browser_gets_no_second_id() -> None:
    assert guest_visit(signed_in()).cookie == ""


@given(st.text(alphabet=string.printable, max_size=200))
def test_no_cookie_but_a_signed_one_signs_in(value: str) -> None:
    assert guest_visit(("Cookie", f"{guests.COOKIE}={value}")).app_saw == []
