"""Sharing on an IPv6 address: how it is written, and what a foreign page cannot name."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from lib.sharing.addresses import addresses, is_global
from tests.support.guests import guests_url, lay_sharing, signed_in, websocket
from tests.support.server import Server, running_server


def address() -> str:
    """One of this machine's in a private network, without a zone."""
    found = [one for one in addresses() if ":" in one and not is_global(one)]
    if not found:
        pytest.skip("This machine has no IPv6 address in a network.")
    return found[0]


@pytest.fixture(scope="module", params=["none", "berth"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    home = tmp_path_factory.mktemp("berth")
    more = (f'share_encryption = "{request.param}"',)
    lay_sharing(home, address=address(), more=more)
    with running_server(home) as server:
        scheme = {"none": "http", "berth": "https"}[request.param]
        yield server, guests_url(server, scheme, address())


def test_the_address_stands_in_brackets_everywhere(shared: tuple[Server, str]) -> None:
    server, url = shared
    assert url.endswith(f"://[{address()}]:{server.port}")
    assert httpx.get(f"{server.url}/api/sharing").json()["url"] == url
    cookie = signed_in(url)
    answer = httpx.get(f"{url}/api/health", headers={"Cookie": cookie}, verify=False)
    assert answer.status_code == 200
    for path in ("/api/guests/watch", "/_stcore/stream"):
        with websocket(url, path, cookie) as opened:
            opened.ping().wait(5)


@pytest.mark.parametrize(
    "host",
    [
        "[::1]:{port}",
        "[fd00::99]:{port}",
        "{address}:{port}",
        "[{address}]",
        "[{address}]:1",
        "[{address}%eth0]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "evil.example:{port}",
        "localhost",
    ],
)
def test_no_other_host_is_answered(shared: tuple[Server, str], host: str) -> None:
    server, url = shared
    named = host.format(port=server.port, address=address())
    cookie = signed_in(url)
    for headers in ({}, {"Cookie": cookie}):
        answer = httpx.get(url, headers={"Host": named, **headers}, verify=False)
        assert answer.status_code in (400, 421)


@pytest.mark.parametrize("origin", ["http://[::1]:{port}", "http://evil.example", "null"])
def test_no_other_page_opens_a_websocket(shared: tuple[Server, str], origin: str) -> None:
    server, url = shared
    cookie = signed_in(url)
    foreign = origin.format(port=server.port)
    with pytest.raises(InvalidStatus):
        websocket(url, "/_stcore/stream", cookie, origin=foreign)


def test_the_listener_is_for_ipv6_alone(shared: tuple[Server, str]) -> None:
    server, _ = shared
    for other in ("127.0.0.2", "::1"):
        family = socket.AF_INET6 if ":" in other else socket.AF_INET
        with socket.socket(family) as probe:
            probe.settimeout(5)
            assert probe.connect_ex((other, server.port)) != 0


@pytest.mark.parametrize(
    "host", ["[fd00::2]:{port}", "[::1%lo]:{port}", "[::ffff:127.0.0.1]:{port}", "[::2]:{port}"]
)
def test_the_owners_listener_takes_loopback_alone(shared: tuple[Server, str], host: str) -> None:
    server, _ = shared
    answer = httpx.get(server.url, headers={"Host": host.format(port=server.port)})
    assert answer.status_code in (400, 421)
