"""What a change to the machine is made of: noted before it is done, so that it can be undone.

A change is a list of steps. They are done in order and undone in the strict reverse of it: a file
gets back what it held before (or goes away again), a command runs its `undo`. A command that must
come after its files both ways stands on both sides of them: first one that has an `undo` alone,
then the files, then the one that is done.
"""

import shlex
from pathlib import Path

from lib.core.values import Frozen

ROOT_OWNER = "root:root"


class WantedFile(Frozen):
    """A file that shall hold this text; its folder is made where it is missing."""

    path: Path
    text: str
    mode: int = 0o644
    owner: str = ROOT_OWNER
    is_secret: bool = False  # its text is never printed, logged or noted anywhere else
    is_users: bool = False  # made where it is absent, and never written again

    @property
    def sentence(self) -> str:
        """What is done, for a dry run and for the log."""
        how = "once, then yours" if self.is_users else f"{self.mode:04o} {self.owner}"
        return f"write {self.path} ({how})"


class GoneFile(Frozen):
    """A file of ours that shall not be there."""

    path: Path

    @property
    def sentence(self) -> str:
        """What is done, for a dry run and for the log."""
        return f"remove {self.path}"


class Command(Frozen):
    """A program that is run with these arguments, no shell; other than exit code 0 is a failure."""

    why: str  # a few words: "start the new LiteLLM"
    command: tuple[str, ...] = ()  # empty: done only when undone
    undo: tuple[str, ...] = ()
    seconds: float = 60.0  # how long it may take
    may_fail: bool = False

    @property
    def sentence(self) -> str:
        """What is done, for a dry run and for the log; can be pasted."""
        return shlex.join(self.command)


class Answer(Frozen):
    """An address on this machine that must answer 2xx before the next step is done."""

    why: str
    url: str
    seconds: float = 120.0

    @property
    def sentence(self) -> str:
        """What is done, for a dry run and for the log."""
        return f"wait until {self.url} answers, at most {self.seconds:g} s"


Step = WantedFile | GoneFile | Command | Answer
