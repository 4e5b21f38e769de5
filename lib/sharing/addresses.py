"""The addresses of this machine on which it can be shared, and how they stand in a web address."""

import ipaddress
import socket

import psutil

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.preferences import preferences

OWN = ("127.0.0.1", "::1")  # where a proxy on this machine reaches Berth
USUAL_PORTS = {"http": 80, "https": 443}  # that browsers leave out


def addresses() -> list[str]:
    """Those to choose from; the one that was chosen before comes first.

    Of IPv4 the private ones alone. Of IPv6 also those that the internet may reach, as many networks
    have no others, but after all others.
    """
    found = sorted(filter(_is_offered, _all()), key=is_global)
    chosen = preferences().share_address
    own = [OWN[0]] if preferences().trusted_proxies else []
    return list(dict.fromkeys([*([chosen] if chosen else []), *found, *own]))


def certified() -> list[str]:
    """Those that a certificate of Berth's should name: what can be chosen, and this machine."""
    return list(dict.fromkeys([*filter(_is_offered, _all()), *OWN]))


def checked(address: str) -> str:
    """The address as browsers write it, if it is one of one machine; BadInput for `0.0.0.0` etc."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError as error:
        raise _unfit(address) from error
    if isinstance(given, ipaddress.IPv6Address) and (given.is_link_local or given.scope_id):
        raise BadInput(
            f"“{shown(address)}” holds for one network card alone, and no browser can open it.",
            "Choose an address that begins otherwise than with fe80.",
        )
    is_mapped = isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None
    if given.is_unspecified or given.is_multicast or is_mapped:
        raise _unfit(address)
    if given.compressed in OWN and not preferences().trusted_proxies:
        raise _unfit(address)
    return given.compressed


def is_global(address: str) -> bool:
    """May the internet reach it, unless a firewall keeps it out?"""
    return ipaddress.ip_address(address).is_global


def written(address: str, port: int, scheme: str = "") -> str:
    """`192.168.1.5:8501`, `[fd00::2]:8501`: what a browser sends as Host with this scheme."""
    host = f"[{address}]" if ":" in address else address
    return host if port == USUAL_PORTS.get(scheme) else f"{host}:{port}"


def _all() -> list[str]:
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return [
        one.address.partition("%")[0]
        for name, each in psutil.net_if_addrs().items()
        for one in each
        if name in up and one.family in (socket.AF_INET, socket.AF_INET6)
    ]


def _is_offered(address: str) -> bool:
    given = ipaddress.ip_address(address)
    is_reachable = given.is_global and given.version == 4
    return not (is_reachable or given.is_loopback or given.is_link_local)


def _unfit(address: str) -> BadInput:
    return BadInput(
        f"“{shown(address)}” is not an address to share on.",
        "Choose one of this machine's addresses.",
    )
