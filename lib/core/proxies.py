"""Which proxy a request goes through, as the environment says; Berth's own reading of it.

NO_PROXY is written in many ways: host names with and without a dot before them, addresses with and
without brackets and ports, networks. An entry that means nothing is passed over; no call fails for
it. A proxy that cannot be used is told by the name of its variable.
"""

import ipaddress
import os
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from lib.core.names import shown

KNOWN = ("http", "https")  # kinds of proxies that can be spoken to
_NO_PROXY = ("no_proxy", "NO_PROXY")
_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"\[(?P<six>[^\]]+)\](?::(?P<six_port>\d+))?|(?P<host>[^:]+):(?P<port>\d+)")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(scheme: str, host: str, port: int | None) -> str:
    """The address of the proxy for this server; "" where none is to be used."""
    proxies = {name.lower(): text for name, text in _given().items()}
    found = proxies.get(scheme) or proxies.get("all") or ""
    if not found or is_exempt(host, port or _PORTS.get(scheme, 0), _exempt(proxies)):
        return ""
    if _is_exempt_on_macos(host):
        return ""
    return found if "://" in found else f"http://{found}"


def _given() -> Mapping[str, str]:
    return urllib.request.getproxies()  # of macOS, the system's settings too


def _exempt(proxies: Mapping[str, str]) -> list[str]:
    given = next((os.environ[name] for name in _NO_PROXY if os.environ.get(name)), "")
    return re.split(r"[,\s]+", (given or proxies.get("no", "")).strip())


def _is_exempt_on_macos(host: str) -> bool:
    is_from_system = sys.platform == "darwin" and not urllib.request.getproxies_environment()
    return is_from_system and bool(urllib.request.proxy_bypass(host))


def is_exempt(host: str, port: int, entries: list[str]) -> bool:
    """Does an entry of NO_PROXY mean this server?"""
    host = host.strip("[]").rstrip(".").lower()
    return any(_means(entry.lower(), host, port) for entry in entries if entry)


def _means(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = _divided(entry.rpartition("://")[2])
    if wanted and wanted != port:
        return False
    address = _address(host)
    if address:
        return _has(name, address)
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _divided(entry: str) -> tuple[str, int]:
    """A name, an address or a network, and a port; 0 for any."""
    match = _ENTRY.fullmatch(entry)
    if not match:
        return entry.strip("[]"), 0
    return match["six"] or match["host"], int(match["six_port"] or match["port"] or 0)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _has(network: str, address: Address) -> bool:
    """Is it this address, or one of this network?"""
    try:
        return address in ipaddress.ip_network(network.partition("%")[0], strict=False)
    except ValueError:
        return False


def variable_of(proxy: str) -> str:
    """The variable that names this proxy, for people."""
    names = (name for name in _variables() if os.environ[name].endswith(proxy.partition("://")[2]))
    return next(names, "The system's settings")


def _variables() -> Iterator[str]:
    return (name for name in os.environ if name.lower().endswith("_proxy") and os.environ[name])


def without_secret(proxy: str) -> str:
    """The proxy's address as it may be shown: no user, no password."""
    try:
        parts = urlsplit(proxy)
        place = parts.netloc.rpartition("@")[2]
        return shown(urlunsplit((parts.scheme, place, "", "", "")))
    except ValueError:
        return shown(proxy.rpartition("@")[2])
