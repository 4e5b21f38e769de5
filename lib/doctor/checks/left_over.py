"""Downloads that were broken off and that nobody goes on with."""

from pathlib import Path

from lib.core import words
from lib.core.names import shown
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.left_behind import Partial, partials

NAME = "left-over"
SHOWN = 3


def gathered() -> list[Partial]:
    """Those that have rested for an hour or more."""
    return partials()


def judged(facts: list[Partial]) -> list[Finding]:
    """One finding for all of them."""
    if not facts:
        return []
    size = words.disk(sum(one.bytes for one in facts))
    names = ", ".join(shown(Path(one.path).stem) for one in facts[:SHOWN])
    more = f" and {len(facts) - SHOWN} more" if len(facts) > SHOWN else ""
    parts = words.count(len(facts), "partial download")
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=f"{parts} ({size}) {'lies' if len(facts) == 1 else 'lie'} among the models: "
            f"{names}{more}.",
            wanted="Whole files: deploy the model again, and it goes on where it stopped.",
            why="It takes room and nothing can use it.",
            fix=Fix(
                label=f"Remove (frees {size})",
                action="remove_partials",
                asks=f"{size} of broken-off downloads go; the next try fetches them anew.",
            ),
            facts=tuple(f"{one.path} {one.bytes}" for one in facts),
        )
    ]


CHECK = Check(NAME, gathered, judged)
