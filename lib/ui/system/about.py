"""What the machine is: processor, memory, disks, network, and how fast its memory can be read."""

import html
from collections.abc import Iterator
from typing import NamedTuple

import streamlit as st

from lib import VERSION
from lib.core import lifecycle, words
from lib.core.access import Action, may
from lib.machine import disks, network
from lib.machine.disks import Disk
from lib.machine.network import Interface
from lib.machine.sampler import SAMPLER, machine, swap_bytes
from lib.ui.cards import lines
from lib.ui.elements.element import styled
from lib.ui.system.bandwidth import sentence as bandwidth_sentence

REFRESH_SECONDS = 5.0
LITTLE = 0.1  # of a disk, that is free: worth a word
WORTH_BYTES = 1e3  # a second: less passes where nobody does anything


class Fact(NamedTuple):
    """One row: a name, what is so, more of it in small, and how full it is, 0 to 1."""

    name: str
    text: str
    more: str = ""
    share: float | None = None


def section() -> None:
    """All of it; for guests what the processor and the memory are."""
    styled("facts")
    _live()


@st.fragment(run_every=REFRESH_SECONDS)
def _live() -> None:
    with st.container(key="facts_owner" if may(Action.CONFIGURE) else "facts_guest"):
        _list()


def _list() -> None:
    st.html(drawn([*_processor(), *_memory(), *_cards(), *_for_the_owner()]))


def drawn(facts: list[Fact]) -> str:
    """As a list of names and what is so; every text in it is shown letter for letter."""
    rows = "".join(map(_row, facts))
    return f'<dl class="berth-facts">{rows}</dl>'


def _row(fact: Fact) -> str:
    name, text, more = (html.escape(part) for part in (fact.name, fact.text, fact.more))
    small = f"<small>{more}</small>" if more else ""
    return f"<div><dt>{name}</dt><dd><span>{text}</span>{small}{_bar(fact)}</dd></div>"


def _bar(fact: Fact) -> str:
    if fact.share is None:
        return ""
    percent = min(max(fact.share, 0.0), 1.0) * 100
    kind = "berth-full" if fact.share > 1 - LITTLE else ""
    return (
        f'<i class="{kind}" role="img" aria-label="{percent:.0f} % used">'
        f'<b style="width: {percent:.0f}%"></b></i>'
    )


def _processor() -> Iterator[Fact]:
    here = machine()
    count = words.count(here.cores, "core")
    if here.threads != here.cores:
        count += f", {words.count(here.threads, 'thread')}"
    yield Fact("System", here.os, _berth())
    yield Fact("Processor", f"{here.cpu} · {count}", ", ".join(here.instructions))


def _berth() -> str:
    """`Berth 0.1, up for 2 h 5 min`."""
    try:
        return f"Berth {VERSION}, up for {words.duration(lifecycle.uptime_seconds())}"
    except RuntimeError:  # no server runs in this process
        return f"Berth {VERSION}"


def _memory() -> Iterator[Fact]:
    now, total, swap = SAMPLER.latest(), machine().memory_bytes, swap_bytes()
    text = f"{words.memory(total)}, {words.memory(now.memory_available_bytes)} available"
    swapped = words.memory(now.swap_used_bytes or 0)
    more = f"swap {words.memory(swap)}, {swapped} in use" if swap else "no swap"
    yield Fact("Memory", text, more, now.memory_used_bytes / total)
    if sentence := bandwidth_sentence():
        yield Fact("Bandwidth", sentence)


def _cards() -> Iterator[Fact]:
    if cards := lines.in_a_line():
        yield Fact("Graphics", cards)


def _for_the_owner() -> Iterator[Fact]:
    """Where files lie and by which addresses the machine is reached is nobody else's matter."""
    if not may(Action.CONFIGURE):
        return
    seen = disks.seen()
    if seen is None:
        yield Fact("Disk", "It is being looked at.")
    yield from map(_disk, seen or ())
    yield from map(_interface, network.interfaces(SAMPLER.traffic()))


def _disk(disk: Disk) -> Fact:
    holds = f"holds {words.listed(disk.holds)}" if disk.holds else ""
    where = f"on another machine ({disk.kind})" if disk.is_remote else disk.kind
    more = " · ".join(filter(None, (where, holds)))
    if disk.is_silent:
        return Fact("Disk", f"{disk.path}: it does not answer", more)
    used = 1 - disk.free_bytes / disk.total_bytes if disk.total_bytes else None
    room = f"{words.disk(disk.free_bytes)} of {words.disk(disk.total_bytes)} free"
    return Fact("Disk", f"{disk.path}: {room}", more, used)


def _interface(one: Interface) -> Fact:
    about = [f"{one.megabits / 1e3:g} Gbit/s" if one.megabits >= 1e3 else ""]
    about += [f"{one.megabits} Mbit/s" if 0 < one.megabits < 1e3 else ""]
    rates = {"receives": one.received_bytes_per_second, "sends": one.sent_bytes_per_second}
    about += [f"{verb} {words.disk(rate)}/s" for verb, rate in rates.items() if rate > WORTH_BYTES]
    more = " · ".join(filter(None, about)) or "quiet"
    return Fact("Network", f"{one.name}: {', '.join(one.addresses)}", more)
