"""On which addresses Berth can be shared, and how browsers write them."""

import socket
from collections import namedtuple

import psutil
import pytest

from lib.core.errors import BadInput
from lib.core.preferences import change
from lib.sharing import addresses

_Address = namedtuple("_Address", "family address")
_State = namedtuple("_State", "isup")
FOUND = {
    "lo": ["127.0.0.1", "::1"],
    "eth0": ["192.168.1.5", "2a01:4f8::5", "fd00::2", "fe80::1%eth0", "169.254.3.4"],
    "wan": ["93.184.216.34"],
    "off": ["10.0.0.1", "fd00::9"],
}


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def family(address: str) -> int:
        return socket.AF_INET6 if ":" in address else socket.AF_INET

    each = {name: [_Address(family(one), one) for one in found] for name, found in FOUND.items()}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: each)
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {name: _State(name != "off") for name in FOUND}
    )


def test_private_addresses_come_before_those_that_the_internet_reaches() -> None:
    assert addresses.addresses() == ["192.168.1.5", "fd00::2", "2a01:4f8::5"]


def test_the_one_that_was_chosen_comes_first_and_stays() -> None:
    change(share_address="10.9.8.7")
    assert addresses.addresses()[0] == "10.9.8.7"


def test_behind_a_proxy_loopback_can_be_chosen() -> None:
    with pytest.raises(BadInput, match="not an address to share on"):
        addresses.checked("127.0.0.1")
    change(trusted_proxies=["127.0.0.1"])
    assert addresses.addresses()[-1] == "127.0.0.1"
    assert addresses.checked("127.0.0.1") == "127.0.0.1"


def test_a_certificate_names_what_can_be_chosen_and_this_machine() -> None:
    assert addresses.certified() == [
        "192.168.1.5",
        "2a01:4f8::5",
        "fd00::2",
        "127.0.0.1",
        "::1",
    ]


@pytest.mark.parametrize(
    "address",
    ["", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "::1", "::ffff:192.168.1.5", "localhost", "a\nb"],
)
def test_what_is_not_one_machines_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="not an address to share on"):
        addresses.checked(address)


@pytest.mark.parametrize("address", ["fe80::1", "fe80::1%eth0", "fd00::2%eth0"])
def test_an_address_of_one_network_card_alone_is_refused_in_words(address: str) -> None:
    with pytest.raises(BadInput, match="no browser can open it"):
        addresses.checked(address)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("192.168.1.5", "192.168.1.5"), ("FD00:0:0::0002", "fd00::2"), ("127.0.0.2", "127.0.0.2")],
)
def test_an_address_is_kept_as_browsers_write_it(given: str, meant: str) -> None:
    assert addresses.checked(given) == meant


def test_an_address_stands_in_a_host_as_browsers_send_it() -> None:
    assert addresses.written("192.168.1.5", 8501) == "192.168.1.5:8501"
    assert addresses.written("fd00::2", 8501) == "[fd00::2]:8501"
    assert addresses.written("fd00::2", 443, "https") == "[fd00::2]"
    assert addresses.written("berth.lan", 80, "http") == "berth.lan"
    assert addresses.written("berth.lan", 80, "https") == "berth.lan:80"
