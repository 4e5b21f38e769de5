"""Instruction sets that the processor has and the engine's build does not use."""

import re
import sys
from functools import cache
from typing import NamedTuple

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import program
from lib.machine import processor
from lib.machine.processor import InstructionSet
from lib.processes.command import run

NAME = "instructions"
ASKED_SECONDS = 20.0
_CODE = "import xllamacpp; print(xllamacpp.get_system_info())"
_USED = re.compile(r"(\w+) = 1")


class Facts(NamedTuple):
    """What the processor can do and what the engine does with it."""

    has: frozenset[str] = frozenset()  # as the system names them
    uses: frozenset[str] | None = None  # as llama.cpp names them; None where nobody tells
    has_own: bool = False  # a llama-server of the user's own does the work


def gathered() -> Facts:
    """From the kernel, and from the engine itself, asked once in a process of its own."""
    own = program.known()
    has_own = own is not None and own.is_usable
    return Facts(processor.flags(processor.CPUINFO), None if has_own else _of_wheel(), has_own)


@cache
def _of_wheel() -> frozenset[str] | None:
    """Loading it takes memory that the dashboard is not to keep."""
    told = run([sys.executable, "-I", "-c", _CODE], seconds=ASKED_SECONDS)
    return used_sets(told.stdout) if told.is_good else None


def used_sets(told: str) -> frozenset[str]:
    """`CPU : AVX = 1 | AVX2 = 1 | …` as names."""
    return frozenset(_USED.findall(told))


def _unused(has: frozenset[str], uses: frozenset[str]) -> list[InstructionSet]:
    """Of those that not every build uses anyway."""
    watched = (known for known in processor.SETS if not known.is_usual)
    return [known for known in watched if known.flag in has and known.engine not in uses]


def judged(facts: Facts) -> list[Finding]:
    """One finding for all of them."""
    if facts.has_own or facts.uses is None:
        return []
    unused = [one.title for one in _unused(facts.has, facts.uses)]
    if not unused:
        return []
    is_slow = "AVX2" in unused
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING if is_slow else Severity.HINT,
            title=f"The engine's build does not use {', '.join(unused)}, which the processor has.",
            wanted="A llama-server built for this processor; it is tried before it is used.",
            why="With them prompts are read faster; writing gains little.",
            fix=Fix(label="Name one that you have built", page="Settings"),
            facts=tuple(unused),
        )
    ]


CHECK = Check(NAME, gathered, judged)
