"""Models that were started with more threads than there are cores, or with all of them."""

from typing import NamedTuple

from lib.core import words
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import records
from lib.engines.llamacpp.launch import default_threads
from lib.machine.sampler import machine

NAME = "threads"


class Facts(NamedTuple):
    """Threads by model, and what the machine has."""

    cores: int  # physical
    usual: int  # what Berth starts models with
    threads: dict[str, int]


def gathered() -> Facts:
    """Of the models of the built-in engine that run with a number of threads that was chosen."""
    running = [one for one in records.read_all() if one.is_alive and one.options.threads]
    chosen = {record.model: record.options.threads or 0 for record in running}
    return Facts(machine().cores, default_threads(), chosen)


def judged(facts: Facts) -> list[Finding]:
    """More than the cores costs most; all of them is fine as long as nothing else runs."""
    return [
        _finding(model, threads, facts)
        for model, threads in facts.threads.items()
        if threads > facts.cores or (threads == facts.cores > facts.usual)
    ]


def _finding(model: str, threads: int, facts: Facts) -> Finding:
    is_over, cores = threads > facts.cores, words.count(facts.cores, "core")
    return Finding(
        id=f"{NAME}:{model}",
        severity=Severity.WARNING if is_over else Severity.HINT,
        title=f"{model} runs with {words.count(threads, 'thread')} on {cores}.",
        wanted=f"At most {facts.usual}: one less than the physical cores.",
        why="Threads that share a core wait for each other at every layer."
        if is_over
        else "As soon as anything else runs, all threads wait for the one that was interrupted.",
        fix=Fix(
            label=f"Start again with {facts.usual}",
            action="start_with_usual_threads",
            subject=model,
        ),
        facts=(str(threads), str(facts.cores)),
    )


CHECK = Check(NAME, gathered, judged)
