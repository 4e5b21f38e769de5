"""What a check has found: what is, what should be, why it matters, and what mends it."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from lib.core.values import Frozen


class Severity(StrEnum):
    """How much it matters, in the one word that is shown; the worst first."""

    URGENT = "Urgent"  # something does not work, or is about to stop
    WARNING = "Warning"  # something is slower, less safe or fuller than it should be
    HINT = "Hint"  # worth knowing; nobody has to do anything


ORDER = tuple(Severity)
NEEDS_A_PERSON = (Severity.URGENT, Severity.WARNING)


class Fix(Frozen):
    """One way to mend it: an action by its name, a command to copy, or a page to open."""

    label: str  # of the button or the link, or what is said above the command
    action: str = ""  # see mends.py
    subject: str = ""  # what the action is done to
    asks: str = ""  # what goes for good, where the button asks once before
    command: str = ""
    page: Literal["", "Home", "Deploy", "Models", "System", "Settings"] = ""


class Finding(Frozen):
    """Something that is not as it should be."""

    id: str  # the check's name, and what it is about where there can be several: `disk:/home`
    severity: Severity
    title: str  # what is
    wanted: str  # what should be
    why: str  # why it matters, in one sentence
    fix: Fix
    facts: tuple[str, ...] = ()  # by which it is the same as before; rounded, or it always changes

    @property
    def fingerprint(self) -> str:
        """Another text when the finding has changed."""
        told = "\n".join((self.id, str(self.severity), *self.facts))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    @property
    def needs_a_person(self) -> bool:
        """Is it more than a hint?"""
        return self.severity in NEEDS_A_PERSON


class Check(NamedTuple):
    """One check: `gathered` looks at the machine, `judged` says what of that should be otherwise.

    `judged` is pure: what it says depends on what was gathered alone.
    """

    name: str
    gathered: Callable[[], Any]
    judged: Callable[[Any], list[Finding]]

    def run(self) -> list[Finding]:
        """What it finds now."""
        return self.judged(self.gathered())


def worst_first(findings: list[Finding]) -> list[Finding]:
    """By severity, then by name."""
    return sorted(findings, key=lambda finding: (ORDER.index(finding.severity), finding.id))
