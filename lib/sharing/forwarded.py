"""Behind a proxy that the owner named: for whom it asks is believed of it alone.

What comes this way comes over the guests' listener, so that it is a guest or a program with a key,
and never the owner. Only the proxy's own words count: of the addresses it sends on, the last.
"""

import ipaddress
import re
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from lib.core.access import NotSignedIn
from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.preferences import Preferences, preferences

PROXY = "berth.proxy"  # in the scope of what came over the network: what is believed of whom
MARK = "berth.listener"  # in the same scope: the Host that guests have to name
FORWARDING = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)
SCHEMES = {"http": "ws", "https": "wss"}
_PUBLIC = re.compile(
    r"(https?)://([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\])(?::([0-9]{1,5}))?/?", re.IGNORECASE
)


class BadForwarding(NotSignedIn, code="bad_forwarding"):
    """The proxy does not say for whom it asks, or says it twice."""


class Proxy(NamedTuple):
    """Whom to believe, and under which name it answers: `berth.example.com`."""

    peers: frozenset[str] = frozenset()
    scheme: str = ""
    host: str = ""

    @property
    def url(self) -> str:
        """What guests open; "" where there is no proxy."""
        return f"{self.scheme}://{self.host}" if self.peers else ""


def proxy() -> Proxy:
    """What the owner has chosen, BadInput where that cannot be used; without peers where nothing.

    One that is on this machine has to be named as 127.0.0.1 or ::1, like any other.
    """
    return checked(preferences())


def checked(chosen: Preferences) -> Proxy:
    """The same of these choices; for a page, before they are kept."""
    if not chosen.trusted_proxies:
        return Proxy()
    found = _PUBLIC.fullmatch(chosen.share_public.strip())
    if not found:
        raise BadInput(
            f"“{shown(chosen.share_public)}” is not the address at which a proxy answers.",
            "Write it as guests open it, for example https://berth.example.com.",
        )
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    is_usual = port in (None, {"http": "80", "https": "443"}[scheme])
    peers = frozenset(map(_peer, chosen.trusted_proxies))
    return Proxy(peers, scheme, host if is_usual else f"{host}:{port}")


def resolved(scope: Scope, headers: Headers) -> Scope:
    """What a proxy sent, as its visitor sent it; anything else unchanged.

    BadForwarding where the proxy does not say exactly once who that is.
    """
    trusted = scope.get(PROXY)
    peer = _plain(scope["client"][0]) if scope["client"] else ""
    if not trusted or peer not in trusted.peers:
        return scope
    return {
        **scope,
        "client": (_last_hop(headers), 0),
        "scheme": _scheme(scope, headers),
        "headers": _cleaned(scope, headers),
        MARK: trusted.host,
    }


def _last_hop(headers: Headers) -> str:
    """Whom the proxy itself saw; what stands before that anybody may have written."""
    sent = _only(headers, "x-forwarded-for", "X-Forwarded-For")
    try:
        return _plain(sent.rpartition(",")[2].strip())
    except ValueError as error:
        raise _unclear("X-Forwarded-For") from error


def _scheme(scope: Scope, headers: Headers) -> str:
    sent = _only(headers, "x-forwarded-proto", "X-Forwarded-Proto").lower()
    if sent not in SCHEMES:
        raise _unclear("X-Forwarded-Proto")
    return SCHEMES[sent] if scope["type"] == "websocket" else sent


def _cleaned(scope: Scope, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers with the Host that the visitor named, and without what is believed no further."""
    hosts = headers.getlist("x-forwarded-host")
    if len(hosts) > 1 or any("," in host for host in hosts):
        raise _unclear("X-Forwarded-Host")
    left_out = {*FORWARDING, "host"} if hosts else set(FORWARDING)
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name.lower().decode("latin-1") not in left_out
    ]
    return [*[(b"host", host.strip().encode("latin-1")) for host in hosts], *kept]


def _only(headers: Headers, name: str, written: str) -> str:
    sent = headers.getlist(name)
    if len(sent) != 1:
        raise _unclear(written)
    return sent[0].strip()


def _unclear(name: str) -> BadForwarding:
    return BadForwarding(
        f"The proxy has to send {name} exactly once, and it did not.",
        "docs/sharing.md shows how Caddy and nginx are set up for Berth.",
    )


def _peer(text: str) -> str:
    try:
        return _plain(text.strip())
    except ValueError as error:
        raise BadInput(
            f"“{shown(text)}” is not the address of a proxy.",
            "Write one address, such as 127.0.0.1, not a network.",
        ) from error


def _plain(address: str) -> str:
    """One spelling of each address; ValueError where it is none."""
    given = ipaddress.ip_address(address)
    mapped = given.ipv4_mapped if isinstance(given, ipaddress.IPv6Address) else None
    return (mapped or given).compressed
