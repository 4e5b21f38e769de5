"""A start at login that leads to a folder Berth has left."""

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.fleet import autostart
from lib.fleet.autostart import Autostart

NAME = "autostart"


def gathered() -> Autostart:
    """One small file."""
    return autostart.look()


def judged(facts: Autostart) -> list[Finding]:
    """Only one that is on can be wrong."""
    if not facts.is_stale:
        return []
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title="The start at login is for another folder, or another BERTH_HOME.",
            wanted="It starts the Berth that you look at.",
            why="After the next login another Berth runs, or none, and its models with it.",
            fix=Fix(label="Write it for this one", action="write_autostart"),
            facts=(str(facts.path), facts.found),
        )
    ]


CHECK = Check(NAME, gathered, judged)
