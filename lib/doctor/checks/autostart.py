"""A start at login that leads to a folder Berth has left."""

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.login import at_login
from lib.login.piece import Standing

NAME = "autostart"


def gathered() -> Standing:
    """One small file."""
    return at_login.look()


def judged(facts: Standing) -> list[Finding]:
    """Only one that is on can be wrong."""
    if not (facts.is_on and facts.is_stale):
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
