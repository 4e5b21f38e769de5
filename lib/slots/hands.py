"""Hands that take things away, or tell what they would take."""

import shutil
from pathlib import Path

from lib.jobs.report import Report
from lib.processes.command import run
from lib.slots.change import said, world

STOP_SECONDS = 150.0  # a stop waits for streams that are still being answered


class Hands:
    """Takes things away, or tells what it would take; one thing that fails does not stop others."""

    def __init__(self, report: Report, *, is_rehearsal: bool) -> None:
        self._report, self.is_rehearsal = report, is_rehearsal
        self.problems: list[str] = []

    def run(self, *command: str, may_fail: bool = False) -> None:
        """A command."""
        self._say("run", " ".join(command))
        if self.is_rehearsal:
            return
        done = run(command, environment=world(), seconds=STOP_SECONDS)
        if not done.is_good and not may_fail:
            self.problems.append(f"“{' '.join(command)}” failed: {said(done)}.")

    def file(self, path: Path) -> None:
        """A file, where it is there."""
        if path.exists() or path.is_symlink():
            self._say("remove", str(path))
            if not self.is_rehearsal:
                path.unlink()

    def folder(self, path: Path) -> None:
        """A folder with all in it."""
        if path.is_dir():
            self._say("remove", f"{path}/")
            if not self.is_rehearsal:
                shutil.rmtree(path)

    def empty(self, *paths: Path) -> None:
        """Folders, where nothing is left in them."""
        for path in paths:
            if path.is_dir() and not any(path.iterdir()) and not self.is_rehearsal:
                path.rmdir()

    def _say(self, verb: str, what: str) -> None:
        self._report.say(f"  would {verb}: {what}" if self.is_rehearsal else f"  {verb} {what}")
