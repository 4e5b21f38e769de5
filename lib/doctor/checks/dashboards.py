"""Two dashboards on one home."""

from typing import NamedTuple

from lib import dashboard
from lib.core import words
from lib.doctor.finding import Check, Finding, Fix, Severity

NAME = "dashboards"


class Running(NamedTuple):
    """A dashboard."""

    pid: int
    port: int
    started: float = 0.0  # epoch seconds


def gathered() -> list[Running]:
    """All that run on this home, the newest first; this process too where it is one."""
    newest = dashboard.running()
    found = {one.pid: one for one in (*([newest] if newest else []), *dashboard.others())}
    runs = [Running(one.pid, one.port, one.created_at) for one in found.values()]
    return sorted(runs, key=lambda one: -one.started)


def judged(facts: list[Running]) -> list[Finding]:
    """The newest is the one that programs and setup.sh find, so the others can go."""
    if len(facts) < 2:
        return []
    ports = ", ".join(str(one.port) for one in facts)
    older = facts[1:]
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=f"{words.count(len(facts), 'dashboard')} run on this home, at ports {ports}.",
            wanted="One.",
            why="Each takes its memory, and what one has in mind the other does not know.",
            fix=Fix(
                label=f"End all but the newest, at port {facts[0].port}",
                command=f"kill {' '.join(str(one.pid) for one in older)}",
            ),
            facts=tuple(sorted(str(one.pid) for one in facts)),
        )
    ]


CHECK = Check(NAME, gathered, judged)
