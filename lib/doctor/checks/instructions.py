"""Instruction sets that the processor has and the engine's build does not use."""

import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import program
from lib.processes.command import run

NAME = "instructions"
ASKED_SECONDS = 20.0
CPUINFO = Path("/proc/cpuinfo")
_CODE = "import xllamacpp; print(xllamacpp.get_system_info())"
_FLAGS = re.compile(r"^(?:flags|Features)\s*:\s*(.+)$", re.MULTILINE)
_USED = re.compile(r"(\w+) = 1")
# What the system calls it, what llama.cpp calls it (ggml_cpu_has_… in ggml-cpu.c), and for people.
SETS = (
    ("avx2", "AVX2", "AVX2"),
    ("avx512f", "AVX512", "AVX-512"),
    ("avx512_vnni", "AVX512_VNNI", "AVX-512 VNNI"),
    ("avx_vnni", "AVX_VNNI", "AVX-VNNI"),
    ("avx512_bf16", "AVX512_BF16", "AVX-512 BF16"),
    ("amx_int8", "AMX_INT8", "AMX"),
    ("asimddp", "DOTPROD", "dot products"),
    ("i8mm", "MATMUL_INT8", "matrix products"),
    ("sve", "SVE", "SVE"),
)


class Facts(NamedTuple):
    """What the processor can do and what the engine does with it."""

    has: frozenset[str] = frozenset()  # as the system names them
    uses: frozenset[str] | None = None  # as llama.cpp names them; None where nobody tells
    has_own: bool = False  # a llama-server of the user's own does the work


def gathered() -> Facts:
    """From the kernel, and from the engine itself, asked once in a process of its own."""
    own = program.known()
    has_own = own is not None and own.is_usable
    return Facts(processor_sets(CPUINFO), None if has_own else _of_wheel(), has_own)


def processor_sets(cpuinfo: Path) -> frozenset[str]:
    """What the kernel lists; nothing where it lists nothing, as on macOS."""
    try:
        found = _FLAGS.search(cpuinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return frozenset()
    return frozenset(found[1].split()) if found else frozenset()


@cache
def _of_wheel() -> frozenset[str] | None:
    """Loading it takes memory that the dashboard is not to keep."""
    told = run([sys.executable, "-I", "-c", _CODE], seconds=ASKED_SECONDS)
    return used_sets(told.stdout) if told.is_good else None


def used_sets(told: str) -> frozenset[str]:
    """`CPU : AVX = 1 | AVX2 = 1 | …` as names."""
    return frozenset(_USED.findall(told))


def judged(facts: Facts) -> list[Finding]:
    """One finding for all of them."""
    if facts.has_own or facts.uses is None:
        return []
    unused = [title for has, uses, title in SETS if has in facts.has and uses not in facts.uses]
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
