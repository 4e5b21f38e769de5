"""Steps done to the machine, or only told: what a deployment does and what a dry run prints."""

import contextlib
import grp
import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lib.core.errors import BerthError, EngineError
from lib.core.http import Refused, get_json
from lib.core.names import shown
from lib.jobs.report import Report
from lib.processes.command import NOT_FOUND, TIMED_OUT, Done, run
from lib.slots.journal import CommandNote, FileNote, FolderNote, Journal, Note, put
from lib.slots.steps import Answer, Command, GoneFile, Step, WantedFile

LOOK_SECONDS = 0.3
LONGEST_SAID = 300


class Doer(Protocol):
    """Whoever does steps."""

    def do(self, *steps: Step) -> bool:
        """All of them in order; were there any that changed something?"""


class Rehearsal:
    """Says what would be done, with the whole text of every file that holds no secret."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def do(self, *steps: Step) -> bool:
        """Tell each; nothing is changed."""
        return sum(map(self._tell, steps)) > 0

    def _tell(self, step: Step) -> bool:
        if isinstance(step, Command) and not step.command:
            return False
        if isinstance(step, WantedFile) and is_there(step):
            self._report.say(f"  is there already: {step.path}")
            return False
        verb = "would run" if isinstance(step, Command) else "would"
        self._report.say(f"  {verb}: {step.sentence}")
        if isinstance(step, WantedFile):
            text = "(a secret, made then)" if step.is_secret else step.text
            self._report.say("\n".join(f"    | {line}" for line in text.splitlines()))
        return True


class Change:
    """Does steps and notes the way back of each before."""

    def __init__(self, journal: Journal, report: Report) -> None:
        self._journal, self._report = journal, report

    def do(self, *steps: Step) -> bool:
        """Do each; EngineError at the first that fails. What is so already is left alone."""
        return sum(map(self._done, steps)) > 0

    def undo(self) -> list[str]:
        """Take everything back, the last first; what could not be is returned in sentences.

        Where something could not, the journal stays open, and this can be tried again.
        """
        problems = [said for note in reversed(self._journal.notes()) for said in self._back(note)]
        if not problems:
            self._journal.close()
        return problems

    def _done(self, step: Step) -> bool:
        if isinstance(step, WantedFile):
            return self._write(step)
        if isinstance(step, GoneFile):
            return self._remove(step.path)
        if isinstance(step, Answer):
            wait_for_answer(step)
            return False
        return self._run(step)

    def _write(self, file: WantedFile) -> bool:
        if is_there(file):
            return False
        self._report.say(f"  {file.sentence}")
        self._make_folder(file.path.parent)
        self._journal.note_file(file.path)
        put(file.path, file.text.encode(), file.mode, ids(file.owner))
        return True

    def _make_folder(self, folder: Path) -> None:
        for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
            self._journal.note_folder(missing)
            missing.mkdir(mode=0o755, exist_ok=True)

    def _remove(self, path: Path) -> bool:
        if not path.exists():
            return False
        self._report.say(f"  remove {path}")
        self._journal.note_file(path)
        path.unlink()
        return True

    def _run(self, step: Command) -> bool:
        if step.undo:
            self._journal.note_command(step.why, step.undo, step.seconds)
        if not step.command:
            return False
        self._report.say(f"  {step.sentence}")
        done = run(step.command, environment=world(), seconds=step.seconds)
        if not done.is_good and not step.may_fail:
            raise EngineError(
                f"Could not {step.why}: {said(done)}.", f"Try it by hand: {step.sentence}"
            )
        return done.is_good

    def _back(self, note: Note) -> Iterator[str]:
        """The way back of one step; what went wrong, in a sentence."""
        try:
            if isinstance(note, FileNote):
                self._journal.restore(note)
            elif isinstance(note, FolderNote):
                with contextlib.suppress(OSError):  # not empty: somebody else uses it now
                    note.path.rmdir()
            else:
                yield from _run_back(note)
        except (BerthError, OSError) as error:
            yield f"{getattr(note, 'path', note)} is not as it was: {error}"


def _run_back(note: CommandNote) -> Iterator[str]:
    done = run(note.undo, environment=world(), seconds=note.seconds)
    if not done.is_good:
        yield f"“{' '.join(note.undo)}” failed: {said(done)}."


def is_there(file: WantedFile) -> bool:
    """Does it hold that text, with these rights, or is it its user's own by now?"""
    try:
        facts = file.path.stat()
        if file.is_users:
            return True
        is_same = file.path.read_bytes() == file.text.encode()
    except OSError:
        return False
    wanted = ids(file.owner)
    is_owned = wanted is None or wanted == (facts.st_uid, facts.st_gid)
    return is_same and facts.st_mode & 0o7777 == file.mode and is_owned


def ids(owner: str) -> tuple[int, int] | None:
    """User and group as numbers; None where this process may not give files away, or to nobody."""
    user, _, group = owner.partition(":")
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user).pw_uid, grp.getgrnam(group or user).gr_gid
    except KeyError:
        return None


def world() -> dict[str, str]:
    """The environment of commands: messages in the language that they are understood in."""
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def said(done: Done) -> str:
    """What a program that failed had to say, in a line."""
    if done.code == NOT_FOUND:
        return done.stderr.rstrip(".")
    if done.code == TIMED_OUT:
        return "it took too long"
    text = " ".join((done.stderr.strip() or done.stdout.strip()).split())
    return shown(text, LONGEST_SAID).rstrip(".") or f"exit code {done.code}"


def wait_for_answer(step: Answer) -> None:
    """Return when the address answers with success; EngineError after its time."""
    give_up_at = time.monotonic() + step.seconds
    while True:
        try:
            get_json(step.url)
            return
        except Refused as error:
            last = f"it answered {error.http_status}"
        except BerthError as error:
            last = error.message.rstrip(".")
        if time.monotonic() > give_up_at:
            raise EngineError(
                f"Could not {step.why}: {last}.", "Its log says more; then try again."
            )
        time.sleep(LOOK_SECONDS)
