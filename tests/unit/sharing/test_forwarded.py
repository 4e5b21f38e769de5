"""What the owner names as a proxy, and what is made of its requests."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from lib.core.errors import BadInput
from lib.core.preferences import Preferences
from lib.sharing import forwarded
from lib.sharing.forwarded import MARK, PROXY, BadForwarding, Proxy

NAMED = Proxy(frozenset({"10.0.0.9", "::1"}), "https", "berth.example.com")


def chosen(public: str, *peers: str) -> Preferences:
    return Preferences(trusted_proxies=list(peers), share_public=public)


@pytest.mark.parametrize(
    ("public", "url"),
    [
        ("https://Berth.Example.com/", "https://berth.example.com"),
        ("https://berth.example.com:443", "https://berth.example.com"),
        ("https://berth.example.com:8443", "https://berth.example.com:8443"),
        ("http://192.168.1.5:80", "http://192.168.1.5"),
        ("https://[fd00::2]:8443", "https://[fd00::2]:8443"),
    ],
)
def test_the_public_address_is_kept_as_browsers_send_it(public: str, url: str) -> None:
    assert forwarded.checked(chosen(public, "127.0.0.1")).url == url


@pytest.mark.parametrize(
    "public",
    ["", "berth.example.com", "ftp://a", "https://", "https://a b", "https://u@a", "https://a/b"],
)
def test_what_is_no_public_address_is_refused(public: str) -> None:
    with pytest.raises(BadInput, match="not the address at which a proxy answers"):
        forwarded.checked(chosen(public, "127.0.0.1"))


@pytest.mark.parametrize("peer", ["", "10.0.0.0/8", "*", "proxy.lan", "10.0.0.1:80"])
def test_what_is_no_address_of_a_proxy_is_refused(peer: str) -> None:
    with pytest.raises(BadInput, match="not the address of a proxy"):
        forwarded.checked(chosen("https://a", peer))


def test_without_a_proxy_nothing_is_believed() -> None:
    assert forwarded.checked(chosen("https://a")) == Proxy()
    assert forwarded.checked(chosen("https://a")).url == ""


def asked(
    *headers: tuple[str, str], peer: str | None = "10.0.0.9", kind: str = "http"
) -> dict[str, Any]:
    scope = {
        "type": kind,
        "client": (peer, 4711) if peer else None,
        "scheme": "ws" if kind == "websocket" else "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        MARK: "own:1",
        PROXY: NAMED,
    }
    return dict(forwarded.resolved(scope, Headers(scope=scope)))


FOR, PROTO = ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")


def test_the_visitor_takes_the_place_of_the_proxy() -> None:
    found = asked(("host", "berth.example.com"), FOR, PROTO, ("via", "1.1 x"), ("cookie", "a=b"))
    assert (found["client"], found["scheme"]) == (("1.2.3.4", 0), "https")
    assert found[MARK] == "berth.example.com"
    assert found["headers"] == [(b"host", b"berth.example.com"), (b"cookie", b"a=b")]


def test_a_websocket_has_the_scheme_of_websockets() -> None:
    assert asked(FOR, PROTO, kind="websocket")["scheme"] == "wss"
    assert asked(FOR, ("x-forwarded-proto", "http"), kind="websocket")["scheme"] == "ws"


@pytest.mark.parametrize(
    ("sent", "meant"), [("::ffff:1.2.3.4", "1.2.3.4"), ("FD00:0::1", "fd00::1")]
)
def test_one_address_has_one_spelling(sent: str, meant: str) -> None:
    assert asked(("x-forwarded-for", sent), PROTO)["client"] == (meant, 0)


@pytest.mark.parametrize("peer", ["10.0.0.8", "127.0.0.1", None])
def test_who_is_not_the_proxy_is_left_as_it_came(peer: str | None) -> None:
    found = asked(FOR, PROTO, peer=peer)
    assert (b"x-forwarded-for", b"1.2.3.4") in found["headers"]
    assert found[MARK] == "own:1"


def test_the_owners_listener_knows_no_proxy() -> None:
    scope: dict[str, Any] = {"type": "http", "client": ("127.0.0.1", 1), "headers": []}
    assert forwarded.resolved(scope, Headers(scope=scope)) is scope


@given(st.lists(st.text(alphabet="0123456789.,: abf", max_size=20), max_size=3))
def test_whatever_is_sent_makes_one_address_or_is_refused(sent: list[str]) -> None:
    try:
        found = asked(*[("x-forwarded-for", one) for one in sent], PROTO)
    except BadForwarding:
        return
    assert len(sent) == 1
    assert found["client"][0]
