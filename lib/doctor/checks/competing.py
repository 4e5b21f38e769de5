"""Other programs that want the processor: more work is waiting than there are cores."""

import threading
from collections import defaultdict
from typing import NamedTuple

import psutil

from lib.core.names import shown
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.processes import own_pids
from lib.machine.sampler import machine

NAME = "competing"
LOOK_SECONDS = 0.5
BUSY = 1.25  # runnable threads per hardware thread, over five minutes
WORTH_NAMING = 30.0  # per cent of one core
SHOWN = 3
ENGINES = ("ollama", "llama-server", "vllm")


class Rival(NamedTuple):
    """A program of somebody else's."""

    name: str
    pid: int
    percent: float  # of one core


class Facts(NamedTuple):
    """How much work waits, and whose it is."""

    load: float  # the average of five minutes
    threads: int  # of the hardware
    rivals: tuple[Rival, ...] = ()  # the busiest first


def gathered() -> Facts:
    """Who it is is asked only where much waits: it takes two looks at all processes."""
    facts = Facts(psutil.getloadavg()[1], machine().threads)
    return facts._replace(rivals=rivals()) if is_busy(facts) else facts


def is_busy(facts: Facts) -> bool:
    """Does more work wait than the processor can do?"""
    return facts.load > facts.threads * BUSY


def rivals(seconds: float = LOOK_SECONDS) -> tuple[Rival, ...]:
    """The busiest programs of others within the next moment."""
    ours = own_pids()
    before = [process for process in psutil.process_iter() if process.pid not in ours]
    for process in before:
        _percent(process)  # the first call only remembers
    threading.Event().wait(seconds)
    return summed([Rival(_name(process), process.pid, _percent(process)) for process in before])


def summed(processes: list[Rival]) -> tuple[Rival, ...]:
    """One row per program with its busiest process; what works for models is no rival."""
    by_name: dict[str, list[Rival]] = defaultdict(list)
    for process in processes:
        if not any(word in process.name.lower() for word in ENGINES):
            by_name[process.name].append(process)
    rows = [
        max(each, key=lambda one: one.percent)._replace(percent=sum(one.percent for one in each))
        for each in by_name.values()
    ]
    busy = sorted(rows, key=lambda rival: -rival.percent)[:SHOWN]
    return tuple(rival for rival in busy if rival.percent > WORTH_NAMING)


def _percent(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return 0.0


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def judged(facts: Facts) -> list[Finding]:
    """Nothing where the load is our own models': that is what the machine is for."""
    if not is_busy(facts) or not facts.rivals:
        return []
    told = ", ".join(f"{shown(one.name)} ({one.percent:.0f} % of a core)" for one in facts.rivals)
    first = facts.rivals[0]
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=f"Other programs want the processor: {told}.",
            wanted=f"A load of at most {facts.threads} while models run; it is {facts.load:.1f}.",
            why="A model's threads wait for each other, so one that is held up holds up all.",
            fix=Fix(
                label=f"Let {shown(first.name)} give way", command=f"renice -n 10 -p {first.pid}"
            ),
            facts=tuple(sorted({one.name for one in facts.rivals})),
        )
    ]


CHECK = Check(NAME, gathered, judged)
