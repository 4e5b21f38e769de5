"""Servers on other machines that speak the OpenAI dialect: named, checked and kept in settings.

An address comes from the owner alone, never from a request. Its key lies in a file of its own that
only the owner can read, and goes nowhere but to that address.
"""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

import httpx
from pydantic import SecretStr

from lib import dashboard
from lib.core import words
from lib.core.access import Action, require
from lib.core.errors import BadInput, Conflict, NotFound
from lib.core.files import write_text
from lib.core.names import shown
from lib.core.preferences import EngineAddress, change, preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.vllm import answers

MOST = 64
LONGEST_KEY = 4_096
# Hosts that no name server of the world knows: plain HTTP to them stays within the house.
_INNER = re.compile(
    r"[^.]+|.+\.(?:local|lan|home|internal|intranet|corp|localdomain|localhost|home\.arpa|ts\.net)"
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_KEY = re.compile(r"[\x21-\x7e]+")
_FIX = "Write it as http://10.0.0.5:8000/v1, or with https for a server on the internet."


class Address(Frozen):
    """One of them."""

    name: str
    url: str  # …/v1

    @property
    def root(self) -> str:
        """Where /health and /metrics stand; "" where that is not known."""
        return self.url.removesuffix("/v1") if self.url.endswith("/v1") else ""

    @property
    def host(self) -> str:
        """`10.0.0.5:8000`."""
        parsed = httpx.URL(self.url)
        return parsed.netloc.decode("ascii")


def all_addresses() -> list[Address]:
    """Those that can be used; one that somebody wrote wrongly into the file is left out."""
    return [address for address in map(_usable, preferences().engine_addresses) if address]


def problems() -> list[str]:
    """What is wrong with the others, in sentences."""
    return [why for each in preferences().engine_addresses if (why := _objection(each))]


def add(name: str, url: str, key: str = "") -> Address:
    """Keep a server under this name; BadInput or Conflict where it cannot be."""
    require(Action.CONFIGURE)
    address = Address(name=address_name(name), url=base_url(url))
    _require_foreign(address)
    secret = key_text(key)
    kept = preferences().engine_addresses
    if any(each.name == address.name for each in kept):
        raise Conflict(f"There is an address “{address.name}” already.", "Use another name.")
    if len(kept) >= MOST:
        raise Conflict(f"There are {MOST} addresses already.", "Remove one first.")
    if secret:
        write_text(key_file(address.name), secret + "\n")
    else:
        key_file(address.name).unlink(missing_ok=True)
    change(engine_addresses=_written([*kept, EngineAddress(name=address.name, url=address.url)]))
    return address


def tried(address: Address) -> str:
    """What it answers now, in a sentence; EngineError where it does not. Two seconds at most."""
    require(Action.CONFIGURE)
    found = answers.listed(address.url, key_of(address.name))
    return f"{address.name} answers: it has {words.count(len(found), 'model')}."


def remove(name: str) -> None:
    """Forget the server and its key; NotFound where there is none of this name."""
    require(Action.CONFIGURE)
    kept = preferences().engine_addresses
    left = [each for each in kept if each.name != name]
    if len(left) == len(kept):
        raise NotFound(f"There is no address “{shown(name)}”.", "System lists them.")
    change(engine_addresses=_written(left))
    if _NAME.fullmatch(name):
        key_file(name).unlink(missing_ok=True)


def key_of(name: str) -> SecretStr | None:
    """The key that goes with the address; None where it has none."""
    try:
        text = key_file(name).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return SecretStr(text) if text else None


def key_file(name: str) -> Path:
    """Where the key is kept (0600)."""
    return settings().engine_keys / address_name(name)


def address_name(text: str) -> str:
    """A name of small letters, digits and hyphens, or BadInput."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name) or re.fullmatch(r"slot-\d+", name):
        raise BadInput(
            f"“{shown(text)}” is not a name for an address.",
            "Use up to 32 small letters, digits and hyphens, such as lab-2.",
        )
    return name


def base_url(text: str) -> str:
    """The OpenAI base URL that somebody means (…/v1), or BadInput.

    What it says is not repeated where it may hold a password.
    """
    text = text.strip()
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise BadInput("This is not an address.", _FIX) from error
    if port is not None and not 0 < port < 65_536:
        raise BadInput("An address has a port from 1 to 65535.", _FIX)
    if url.scheme not in ("http", "https") or not url.host:
        raise BadInput("An address begins with http:// or https:// and a host.", _FIX)
    if url.userinfo or url.query or url.fragment or "?" in text or "#" in text:
        raise BadInput(
            "An address has no user name, password, question mark or #.",
            "Enter the key in the field of its own.",
        )
    path = url.path.rstrip("/")
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise BadInput(f"“{shown(url.path)}” is not the path of an API.", _FIX)
    host = _host(url.host, is_secure=url.scheme == "https")
    place = host if port is None else f"{host}:{port}"
    return f"{url.scheme}://{place}{path or '/v1'}"


def key_text(text: str) -> str:
    """A key as it goes into a header, "" for none, or BadInput."""
    key = text.strip()
    if key and (len(key) > LONGEST_KEY or not _KEY.fullmatch(key)):
        raise BadInput("This cannot be a key.", "Paste it without blanks and line breaks.")
    return key


def _host(host: str, *, is_secure: bool) -> str:
    """As it goes into a URL, or BadInput.

    Plain HTTP is for machines of one's own: on the internet everybody on the way could read along.
    """
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host) or ".." in host:
            raise BadInput(f"“{shown(host)}” is not the name of a host.", _FIX) from None
        if not is_secure and not _INNER.fullmatch(host.lower()):
            raise _not_secret(host) from None
        return host.lower()
    if ip.is_unspecified or ip.is_multicast or ip.is_link_local:
        raise BadInput(f"No server of yours answers at {ip}.", "Give the address of one machine.")
    if ip.is_global and not is_secure:
        raise _not_secret(str(ip))
    return f"[{ip}]" if ip.version == 6 else str(ip)


def _not_secret(host: str) -> BadInput:
    return BadInput(
        f"{host} is on the internet, and http:// would show it all to whoever is on the way.",
        "Use https://, or the address that the machine has in your own network.",
    )


def _require_foreign(address: Address) -> None:
    """BadInput where it is this Berth itself, which would list its models without end."""
    here = dashboard.running()
    url = httpx.URL(address.url)
    is_loopback = url.host in ("localhost", "127.0.0.1", "::1")
    if here is not None and is_loopback and url.port == here.port:
        raise BadInput("This is the address of Berth itself.", "Its models stand here already.")


def _usable(kept: EngineAddress) -> Address | None:
    try:
        return Address(name=address_name(kept.name), url=base_url(kept.url))
    except BadInput:
        return None


def _objection(kept: EngineAddress) -> str:
    try:
        address_name(kept.name)
        base_url(kept.url)
    except BadInput as error:
        return f"The address “{shown(kept.name)}” is left out: {error.message}"
    return ""


def _written(addresses: Sequence[EngineAddress]) -> list[dict[str, str]]:
    return [address.model_dump() for address in addresses]
