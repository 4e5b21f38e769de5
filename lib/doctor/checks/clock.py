"""A clock that is wrong: by the files' times, by the start of the machine, or by the Hub's word."""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from lib.core import words
from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.hub import heard

NAME = "clock"
FILES_SECONDS = 3_600.0  # a file of Berth's own that is so far ahead was not written by this clock
SKEW_SECONDS = 300.0  # beyond it certificates and tokens begin to fail
FIRST_SENSIBLE = 1_767_225_600.0  # 2026-01-01: no Berth is older


class Facts(NamedTuple):
    """Moments in epoch seconds; seconds of difference."""

    now: float
    boot: float = 0.0
    newest: float = 0.0  # of Berth's own files
    newest_name: str = ""
    skew: float | None = None  # of another server's clock to this one, when it last answered


def gathered() -> Facts:
    """Nobody is asked: the Hub's answers carry its time, and the last one is remembered."""
    newest, name = _newest(settings().home)
    return Facts(time.time(), psutil.boot_time(), newest, name, heard.clock_skew())


def _newest(home: Path) -> tuple[float, str]:
    """Of the files at the top, of jobs and of records: what Berth itself writes."""
    found: list[tuple[float, str]] = [(0.0, "")]
    for path in (*home.glob("*"), *home.glob("jobs/*/job.json"), *home.glob("engines/*.json")):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, str(path.relative_to(home))))
    return max(found)


def judged(facts: Facts) -> list[Finding]:
    """At most one: whichever of them says most."""
    what = _ahead(facts) or _skewed(facts) or _before(facts)
    if not what:
        return []
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=what,
            wanted="The time, kept by the system from the network.",
            why="Secure connections fail, and histories and limits are mixed up.",
            fix=Fix(label="Have it set", command="sudo timedatectl set-ntp true"),
            facts=(what.partition(":")[0],),
        )
    ]


def _skewed(facts: Facts) -> str:
    if facts.skew is None or abs(facts.skew) < SKEW_SECONDS:
        return ""
    way = "behind" if facts.skew > 0 else "ahead of"
    return f"The clock is {words.duration(abs(facts.skew))} {way} the Hub's."


def _ahead(facts: Facts) -> str:
    ahead = facts.newest - facts.now
    if ahead < FILES_SECONDS:
        return ""
    return f"The clock is behind Berth's own files: {facts.newest_name} is of a time to come."


def _before(facts: Facts) -> str:
    if facts.now < FIRST_SENSIBLE:
        return "The clock says a year before Berth was made."
    if facts.boot > facts.now:
        return "The clock is before the start of the machine."
    return ""


CHECK = Check(NAME, gathered, judged)
