"""A settings.toml that cannot be used as it is."""

from lib.core import preferences
from lib.doctor.finding import Check, Finding, Fix, Severity

NAME = "preferences"


def gathered() -> str:
    """What is wrong with it; "" where nothing is."""
    return preferences.problem()


def judged(facts: str) -> list[Finding]:
    """The file is kept beside the new one."""
    if not facts:
        return []
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=facts,
            wanted="A file that can be read; what it does not say is as usual.",
            why="Settings that were made there do not hold, limits for guests among them.",
            fix=Fix(
                label="Write it anew from what can be used",
                action="renew_preferences",
            ),
            facts=(facts,),
        )
    ]


CHECK = Check(NAME, gathered, judged)
