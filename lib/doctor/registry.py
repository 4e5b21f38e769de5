"""All findings: the checks run side by side with a short limit, and a look is remembered a while.

A page never waits for one: it is given what is known, and a look begins where that is old.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import NamedTuple

from lib.core import patience
from lib.core.access import Action, Role, acting, require
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.doctor import ignored
from lib.doctor.checks import all_checks
from lib.doctor.finding import Check, Finding, worst_first

LIMIT_SECONDS = 4.0  # for all checks of a look together
REMEMBERED_SECONDS = 120.0
WATCHED_SECONDS = 300.0  # so old a look may get before the server looks by itself

_log = logging.getLogger(__name__)


class Look(Frozen):
    """What one look at the machine has found."""

    at: float = 0.0  # epoch seconds; 0: nobody has looked yet
    findings: tuple[Finding, ...] = ()  # the worst first
    late: tuple[str, ...] = ()  # checks that were not done in time
    failed: tuple[str, ...] = ()  # checks that have a defect

    def shown(self) -> list[Finding]:
        """Those that are not ignored."""
        kept = ignored.all_ignored()
        return [one for one in self.findings if not ignored.is_ignored(one, kept)]

    def ignored(self) -> list[Finding]:
        """Those that are."""
        kept = ignored.all_ignored()
        return [one for one in self.findings if ignored.is_ignored(one, kept)]


class Registry:
    """The looks of one process. Every method may be called from any thread."""

    def __init__(
        self,
        checks: Callable[[], Sequence[Check]] = all_checks,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self._checks = checks
        self._limit_seconds = limit_seconds
        self._lock = threading.Lock()
        self._last = Look()
        self._home = Path()
        self._looked = 0.0  # time.monotonic
        self._under_way: Future[Look] | None = None
        self._running: dict[str, _Run] = {}
        self._generation = 0
        self.is_watching = False  # may a look begin where no one asked for the findings?

    def look(self) -> Look:
        """Look now, and wait for it: at most the limit."""
        require(Action.CONFIGURE)
        return self._begun().result()

    def seen(self) -> Look:
        """What is known, at once; a new look begins where that is old."""
        require(Action.CONFIGURE)
        known = self._known()
        if not known.at or time.monotonic() - self._looked > REMEMBERED_SECONDS:
            self._begun()
        return known

    def is_looking(self) -> bool:
        """Is a look under way?"""
        return self._under_way is not None

    def forget(self) -> None:
        """Something was mended: what is known stays to be shown until the next look, which begins.

        A look that is under way may have seen how it was before, and counts no more.
        """
        with self._lock:
            self._generation += 1
            self._under_way = None
            self._looked = 0.0
        self._begun()

    def count(self) -> int:
        """How many findings need a person, as far as is known; never waits."""
        return sum(finding.needs_a_person for finding in self._watched().shown())

    def needs(self) -> list[tuple[str, str]] | None:
        """What needs a person: id and sentence; None before the first look. Never waits."""
        known = self._watched()
        return (
            [(one.id, one.title) for one in known.shown() if one.needs_a_person]
            if known.at
            else None
        )

    def _watched(self) -> Look:
        """What is known; where that is old, and somebody wants to know by and by, a look begins."""
        known = self._known()
        if self.is_watching and (not known.at or time.monotonic() - self._looked > WATCHED_SECONDS):
            self._begun()
        return known

    def _known(self) -> Look:
        """The last look, where it was at the home that is used now."""
        with self._lock:
            return self._last if self._home == settings().home else Look()

    def _begun(self) -> Future[Look]:
        """The look that is under way, else one that begins."""
        with self._lock:
            if self._under_way is None:
                self._under_way = Future()
                arguments = (self._under_way, settings().home, self._generation)
                threading.Thread(
                    target=self._run, args=arguments, name="doctor", daemon=True
                ).start()
            return self._under_way

    def _run(self, done: Future[Look], home: Path, generation: int) -> None:
        try:
            found = self._look()
        except Exception:  # a defect here must not cost more than the findings
            _log.exception("The machine could not be checked")
            found = Look(at=time.time(), failed=("doctor",))
        with self._lock:
            if generation == self._generation:
                self._last, self._home, self._looked = found, home, time.monotonic()
                self._under_way = None
        done.set_result(found)

    def _look(self) -> Look:
        runs = {check.name: self._running_check(check) for check in self._checks()}
        wait(runs.values(), self._limit_seconds)
        done = {name: run for name, run in runs.items() if run.done()}
        failed = tuple(name for name, run in done.items() if run.exception())
        good = [run.result() for name, run in done.items() if name not in failed]
        findings = worst_first([finding for found in good for finding in found])
        late = tuple(name for name in runs if name not in done)
        return Look(at=time.time(), findings=tuple(findings), late=late, failed=failed)

    def _running_check(self, check: Check) -> "Future[list[Finding]]":
        """The check in a thread of its own; one that hangs is not begun a second time."""
        with self._lock:
            before = self._running.get(check.name)
            if before and not before.done.done() and self._is_good(before):
                return before.done
            done: Future[list[Finding]] = Future()
            self._running[check.name] = _Run(done, self._generation, time.monotonic())
        threading.Thread(
            target=_checked, args=(check, done), name=f"check-{check.name}", daemon=True
        ).start()
        return done

    def _is_good(self, run: "_Run") -> bool:
        """Did it begin after the last mend, or does it hang, as another one would?"""
        is_hanging = time.monotonic() - run.began > self._limit_seconds
        return run.generation == self._generation or is_hanging


class _Run(NamedTuple):
    """A check that was begun."""

    done: "Future[list[Finding]]"
    generation: int
    began: float  # time.monotonic


def _checked(check: Check, done: "Future[list[Finding]]") -> None:
    """Run it for the owner; what goes wrong is told in the log, and by `done`."""
    try:
        with acting(Role.OWNER), patience.of_a_command():
            found = check.run()
    except Exception as error:
        _log.exception("The check %s has failed", check.name)
        done.set_exception(error)
    else:
        done.set_result(found)


REGISTRY = Registry()
