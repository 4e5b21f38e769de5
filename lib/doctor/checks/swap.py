"""Swap in use: worst where a model's own pages are in it."""

import re
from pathlib import Path
from typing import NamedTuple

import psutil

from lib.core import words
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import records

NAME = "swap"
MUCH_BYTES = 512 * 2**20  # less is what a system puts away in quiet hours
OF_MODEL_BYTES = 64 * 2**20
_SWAPPED = re.compile(r"^VmSwap:\s+(\d{1,15}) kB$", re.MULTILINE)


class Facts(NamedTuple):
    """Bytes in swap: of the machine, and of each model that runs."""

    total_bytes: int
    used_bytes: int
    of_models: dict[str, int]


def gathered() -> Facts:
    """A process's own share is told by Linux alone."""
    swap = psutil.swap_memory()
    running = [record for record in records.read_all() if record.is_alive]
    of_models = {record.model: swapped_bytes(Path(f"/proc/{record.pid}")) for record in running}
    return Facts(swap.total, swap.used, of_models)


def swapped_bytes(process: Path) -> int:
    """What the kernel tells of one process; 0 where it tells nothing."""
    try:
        found = _SWAPPED.search((process / "status").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def judged(facts: Facts) -> list[Finding]:
    """One finding per model that is in it, else one hint where much is."""
    models = {name: size for name, size in facts.of_models.items() if size > OF_MODEL_BYTES}
    if models:
        return [_of_model(name, size) for name, size in models.items()]
    return [_of_machine(facts)] if facts.used_bytes > MUCH_BYTES else []


def _of_model(name: str, size: int) -> Finding:
    return Finding(
        id=f"{NAME}:{name}",
        severity=Severity.WARNING,
        title=f"{words.memory(size)} of {name} are in swap.",
        wanted="All of a model in memory.",
        why="Every token reads the whole model, and a disk is a hundred times slower than memory.",
        fix=Fix(label="Load it again", action="load_again", subject=name),
        facts=(name,),
    )


def _of_machine(facts: Facts) -> Finding:
    used, total = words.memory(facts.used_bytes), words.memory(facts.total_bytes)
    return Finding(
        id=NAME,
        severity=Severity.HINT,
        title=f"{used} of {total} of swap are in use.",
        wanted="Little, while models run.",
        why="Memory was short at some time; what was put away comes back slowly.",
        fix=Fix(label="See what models hold", page="Models"),
        facts=(f"{facts.used_bytes // 2**30}",),
    )


CHECK = Check(NAME, gathered, judged)
