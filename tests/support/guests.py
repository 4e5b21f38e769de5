"""A Berth that is shared, and guests who come over the network's listener."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from lib.sharing import addresses
from tests.support.server import Server, running_server

CODE = "abcd-efgh"
SECONDS = 15.0


def lan_address() -> str:
    """An address to share on; a loopback one that is not the owner's does, where there is one."""
    for address in ("127.0.0.2", *addresses.addresses()):
        with contextlib.suppress(OSError), socket.create_server((address, 0)):
            return address
    pytest.skip("This machine has no address to share on.")


def lay_sharing(home: Path, *limits: str, code: str = CODE) -> None:
    """Have Berth share as it starts, with this code; `limits` are lines of the guests' table."""
    home.mkdir(parents=True, exist_ok=True)
    chosen = [f'share_address = "{lan_address()}"', "share_at_start = true", "[guests]", *limits]
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


def guests_url(server: Server) -> str:
    """Where guests reach it, as soon as they do."""
    address = (lan_address(), server.port)
    give_up_at = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            return f"http://{address[0]}:{address[1]}"
        assert time.monotonic() < give_up_at, server.output
        time.sleep(0.05)


def login(url: str, code: str = CODE) -> httpx.Response:
    """What the login page does."""
    return httpx.post(f"{url}/api/login", json={"code": code}, headers={"Origin": url})


def signed_in(url: str, code: str = CODE) -> str:
    """The cookie of a new guest, as a header's value."""
    answer = login(url, code)
    assert answer.status_code == 200, answer.text
    return f"berth_guest={answer.cookies['berth_guest']}"


def websocket(url: str, path: str, cookie: str) -> ClientConnection:
    """A WebSocket as a guest's page opens it."""
    address = url.replace("http", "ws", 1) + path
    return connect(address, origin=Origin(url), additional_headers={"Cookie": cookie})
