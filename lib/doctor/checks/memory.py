"""Little free memory, and who holds it."""

from typing import NamedTuple

from lib.core import words
from lib.core.names import shown
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.processes import own_pids
from lib.machine.holders import Holder, holders
from lib.machine.sampler import machine, memory_available_bytes

NAME = "memory"
LITTLE, VERY_LITTLE = 0.10, 0.04  # of the machine's memory
ENOUGH_BYTES = 4 * 2**30  # with so much free no machine is short
SHOWN = 3
WORTH_NAMING = 0.03


class Facts(NamedTuple):
    """How full the memory is, and by whom: those that hold most first."""

    total_bytes: int
    available_bytes: int
    holders: tuple[Holder, ...] = ()


def gathered() -> Facts:
    """Processes are looked through only where memory is short."""
    facts = Facts(machine().memory_bytes, memory_available_bytes())
    return facts._replace(holders=tuple(holders(own_pids())[:SHOWN])) if is_short(facts) else facts


def is_short(facts: Facts) -> bool:
    """Is there less than a machine should have?"""
    return facts.available_bytes < min(facts.total_bytes * LITTLE, ENOUGH_BYTES)


def judged(facts: Facts) -> list[Finding]:
    """Foreign programs are named; of our own the Models page knows more."""
    if not is_short(facts):
        return []
    foreign = [one for one in facts.holders if not one.is_ours and _is_large(one, facts)]
    free, total = words.memory(facts.available_bytes), words.memory(facts.total_bytes)
    is_ours = bool(facts.holders) and facts.holders[0].is_ours
    return [
        Finding(
            id=NAME,
            severity=_severity(facts),
            title=f"{free} of {total} of memory are free.{_named(foreign)}",
            wanted=f"At least {words.memory(min(facts.total_bytes * LITTLE, ENOUGH_BYTES))}.",
            why="What does not fit is swapped out or ended by the system, often the model.",
            fix=Fix(label="Stop a model" if is_ours else "See what models hold", page="Models"),
            facts=(*(one.name for one in foreign), str(_severity(facts))),
        )
    ]


def _severity(facts: Facts) -> Severity:
    is_urgent = facts.available_bytes < facts.total_bytes * VERY_LITTLE
    return Severity.URGENT if is_urgent else Severity.WARNING


def _is_large(holder: Holder, facts: Facts) -> bool:
    return holder.bytes > facts.total_bytes * WORTH_NAMING


def _named(foreign: list[Holder]) -> str:
    told = ", ".join(f"{shown(one.name)} ({words.memory(one.bytes)})" for one in foreign)
    return f" Held by other programs: {told}." if told else ""


CHECK = Check(NAME, gathered, judged)
