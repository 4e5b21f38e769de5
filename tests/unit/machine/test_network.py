"""Interfaces that lead out of this machine, and what passes through them."""

import socket
from collections import namedtuple
from typing import Any

import psutil
import pytest

from lib.machine import network
from lib.machine.network import Rates, Traffic, interfaces

Counted = namedtuple("Counted", "bytes_recv bytes_sent")
Address = namedtuple("Address", "family address")
State = namedtuple("State", "isup speed")


class Wires:
    """The interfaces of a machine, as psutil tells of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: dict[str, Counted] = {}
        self.addresses: dict[str, list[Address]] = {}
        self.states: dict[str, State] = {}
        self.now = 100.0
        monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: self.counts)
        monkeypatch.setattr(psutil, "net_if_addrs", lambda: self.addresses)
        monkeypatch.setattr(psutil, "net_if_stats", lambda: self.states)
        monkeypatch.setattr("lib.machine.network.time.monotonic", lambda: self.now)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Wires:
    return Wires(monkeypatch)


def test_what_passes_is_what_leads_out(wires: Wires) -> None:
    traffic = Traffic()
    wires.counts = {"eth0": Counted(100, 10), "lo": Counted(0, 0), "docker0": Counted(0, 0)}
    assert traffic.look() == Rates(0, 0)
    wires.now += 2
    wires.counts = {name: Counted(900, 410) for name in wires.counts}
    assert traffic.look() == Rates(400, 200)
    assert traffic.rates == {"eth0": Rates(400, 200)}


def test_a_counter_that_starts_over_and_one_that_appears_are_no_traffic(wires: Wires) -> None:
    traffic = Traffic()
    wires.counts = {"eth0": Counted(10_000, 5)}
    traffic.look()
    wires.now += 1
    wires.counts = {"eth0": Counted(3, 5), "eth1": Counted(70_000, 0)}
    assert traffic.look() == Rates(0, 0)
    assert traffic.rates.keys() == {"eth0"}


def test_an_interface_is_told_with_its_addresses_and_its_rates(wires: Wires) -> None:
    wires.addresses = {
        "eth0": [
            Address(socket.AF_INET6, "fe80::1%eth0"),
            Address(socket.AF_INET6, "fd00::2"),
            Address(socket.AF_INET, "192.0.2.2"),
            Address(psutil.AF_LINK, "00:11:22:33:44:55"),
        ],
        "eth1": [Address(socket.AF_INET, "192.0.2.3")],
        "wlan0": [Address(socket.AF_INET6, "fe80::3%wlan0")],
        "lo": [Address(socket.AF_INET, "127.0.0.1")],
        "gone0": [Address(socket.AF_INET, "192.0.2.4")],
    }
    wires.states = {
        "eth0": State(True, 1_000),
        "eth1": State(False, 1_000),
        "wlan0": State(True, 65_535_000),
        "lo": State(True, 0),
    }
    [found] = interfaces({"eth0": Rates(3, 4)})
    assert (found.name, found.addresses, found.megabits) == (
        "eth0",
        ("192.0.2.2", "fd00::2"),
        1_000,
    )
    assert (found.received_bytes_per_second, found.sent_bytes_per_second) == (3, 4)


@pytest.mark.parametrize("speed", [0, -1, 4_294_967_295])
def test_a_speed_that_nobody_knows_is_none(wires: Wires, speed: int) -> None:
    wires.addresses = {"en0": [Address(socket.AF_INET, "192.0.2.2")]}
    wires.states = {"en0": State(True, speed)}
    assert [one.megabits for one in interfaces({})] == [0]


def test_this_machine_can_be_looked_at() -> None:
    traffic = Traffic()
    traffic.look()
    assert all(figure >= 0 for figure in traffic.look())
    every: list[Any] = [one.name for one in interfaces(traffic.rates)]
    assert not any(network.is_own(name) for name in every)
