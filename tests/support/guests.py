"""A Berth that is shared, and guests who come over the network's listener."""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from lib.sharing import addresses, guests
from lib.sharing.addresses import written
from tests.support.server import Server, running_server

CODE = "abcd-efgh"
SECONDS = 15.0


def lan_address() -> str:
    """An address to share on; a loopback one that is not the owner's does, where there is one."""
    for address in ("127.0.0.2", *addresses.addresses()):
        with contextlib.suppress(OSError), socket.create_server((address, 0)):
            return address
    pytest.skip("This machine has no address to share on.")


def lay_sharing(
    home: Path, *limits: str, code: str = CODE, address: str = "", more: tuple[str, ...] = ()
) -> None:
    """Have Berth share as it starts, with this code; `limits` are lines of the guests' table.

    `more` are lines above that table.
    """
    home.mkdir(parents=True, exist_ok=True)
    chosen = [f'share_address = "{address or lan_address()}"', "share_at_start = true", *more]
    chosen += ["[guests]", *limits]
    (home / "settings.toml").write_text("\n".join(chosen))
    secrets = {"key": "0" * 64, "code": code.replace("-", "")}
    (home / "guests.json").write_text(json.dumps(secrets))


@contextlib.contextmanager
def shared_server(
    home: Path, *limits: str, world: Mapping[str, str] | None = None, files: int = 0
) -> Iterator[tuple[Server, str]]:
    """A server that answers guests too, and the address that guests open."""
    lay_sharing(home, *limits)
    with running_server(home, world, files=files) as server:
        yield server, guests_url(server)


def guests_url(server: Server, scheme: str = "http", address: str = "", port: int = 0) -> str:
    """Where guests reach it, as soon as they do."""
    where = (address or lan_address(), port or server.port)
    give_up_at = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(where, timeout=1):
            return f"{scheme}://{written(*where)}"
        assert time.monotonic() < give_up_at, server.output
        time.sleep(0.05)


def login(url: str, code: str = CODE, name: str = "") -> httpx.Response:
    """What the login page does, whatever the certificate."""
    told = {"code": code, "name": name}
    return httpx.post(f"{url}/api/login", json=told, headers={"Origin": url}, verify=False)


def signed_in(url: str, code: str = CODE, name: str = "") -> str:
    """The cookie of a new guest, as a header's value."""
    answer = login(url, code, name)
    assert answer.status_code == 200, answer.text
    cookie = guests.COOKIES[url.partition(":")[0]]
    return f"{cookie}={answer.cookies[cookie]}"


def websocket(url: str, path: str, cookie: str, origin: str = "") -> ClientConnection:
    """A WebSocket as a guest's page opens it."""
    address, anything = url.replace("http", "ws", 1) + path, ssl.create_default_context()
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    trusted = anything if url.startswith("https") else None
    more = {"Cookie": cookie}
    return connect(address, origin=Origin(origin or url), additional_headers=more, ssl=trusted)
