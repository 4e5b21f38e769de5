"""The ways to other machines: interfaces that are up, and how much passes through each.

What stays on this machine (loopback) or passes through a second time (bridges and the ends of
containers) does not count as traffic.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psutil

from lib.core.values import Frozen

_OWN = re.compile(
    r"(lo\d*|veth.*|docker.*|br-.*|virbr.*|ifb.*|vnet.*|tap.*|cni.*|flannel.*|cali.*|lxc.*|lxd.*"
    r"|vmnet.*|bridge\d+|awdl\d+|llw\d+|anpi\d+|ap\d+|gif\d+|stf\d+)$"
)
_IP = (socket.AF_INET, socket.AF_INET6)
NOT_TOLD = 10**6  # megabits: what a driver says that does not know


class Interface(Frozen):
    """One that is up and has an address."""

    name: str
    addresses: tuple[str, ...] = ()
    megabits: int = 0  # a second, as its other end agreed; 0 where it does not tell
    received_bytes_per_second: float = 0.0
    sent_bytes_per_second: float = 0.0


class Rates(NamedTuple):
    """Bytes a second."""

    received: float = 0.0
    sent: float = 0.0


class Traffic:
    """Counts what passes, from look to look."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._before: dict[str, tuple[int, int]] = {}
        self.rates: Mapping[str, Rates] = {}

    def look(self) -> Rates:
        """All together since the look before; `rates` has each by its name."""
        counters = psutil.net_io_counters(pernic=True) or {}
        told = {n: (c.bytes_recv, c.bytes_sent) for n, c in counters.items() if not is_own(n)}
        now = time.monotonic()
        seconds = max(now - self._at, 1e-3)
        known = told.keys() & self._before.keys()
        self.rates = {name: rates(self._before[name], told[name], seconds) for name in known}
        self._at, self._before = now, told
        every = self.rates.values()
        return Rates(sum(each.received for each in every), sum(each.sent for each in every))


def rates(before: tuple[int, int], now: tuple[int, int], seconds: float) -> Rates:
    """Between two counts; a counter that has started over passes for one that stood still."""
    received, sent = (max(0, new - old) / seconds for old, new in zip(before, now, strict=True))
    return Rates(received, sent)


def interfaces(traffic: Mapping[str, Rates]) -> list[Interface]:
    """Those that lead out of this machine, by name."""
    states, found = psutil.net_if_stats(), []
    for name, told in sorted(psutil.net_if_addrs().items()):
        state, seen = states.get(name), addresses(told)
        if state and state.isup and seen and not is_own(name):
            passing = traffic.get(name, Rates())
            about = Interface(
                name=name,
                addresses=seen,
                megabits=state.speed if 0 < state.speed < NOT_TOLD else 0,
                received_bytes_per_second=passing.received,
                sent_bytes_per_second=passing.sent,
            )
            found.append(about)
    return found


def addresses(told: Sequence[Any]) -> tuple[str, ...]:
    """Those that other machines could know: IPv4 first, none that holds on its own cable alone."""
    texts = [one.address.partition("%")[0] for one in told if one.family in _IP]
    parsed = {ipaddress.ip_address(text) for text in texts}
    known = [one for one in parsed if not one.is_link_local and not one.is_loopback]
    return tuple(map(str, sorted(known, key=lambda one: (one.version, one.packed))))


def is_own(name: str) -> bool:
    """Does it end on this machine, or repeat what another one carries?"""
    return bool(_OWN.match(name))
