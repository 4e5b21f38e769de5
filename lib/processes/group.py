"""The processes that one started and that stayed in its group, also after the first has gone."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence

import psutil
from pydantic import BaseModel, ConfigDict, Field

from lib.processes.identity import is_same, living

SAME_PROCESS_SECONDS = 5.0  # a process notes its beginning a moment after its creation
LOOK_SECONDS = 0.05

Ladder = Sequence[tuple[signal.Signals, float]]


class ProcessGroup(BaseModel):
    """A group by its leader: pid and birth, because the pid may belong to another since."""

    model_config = ConfigDict(frozen=True)

    pid: int = Field(gt=1)
    created: float  # epoch seconds
    birth: str = ""  # as birth.py tells it

    @property
    def has_leader(self) -> bool:
        """Does the process that began the group still run?"""
        leader = living(self.pid)
        return leader is not None and self._is_ours(leader)

    def members(self) -> list[psutil.Process]:
        """The living processes of the group."""
        holder = living(self.pid)
        if not self._exists() or (holder is not None and not self._is_ours(holder)):
            return []
        return list(self._living())

    def end(self, ladder: Ladder) -> list[psutil.Process]:
        """Send each signal to the whole group and wait its seconds; returns who survived all."""
        left = self.members()
        for number, seconds in ladder:
            deadline = time.monotonic() + seconds
            if left:
                self._send(number)
            while left and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
                left = self.members()
        return left

    def _is_ours(self, process: psutil.Process) -> bool:
        return is_same(process, self.birth, self.created, SAME_PROCESS_SECONDS)

    def _exists(self) -> bool:
        """Is there such a group, and may this process signal it? Much cheaper than a search."""
        try:
            os.killpg(self.pid, 0)
        except OSError:
            return False
        return True

    def _living(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                is_member = os.getpgid(process.pid) == self.pid
                if is_member and process.status() != psutil.STATUS_ZOMBIE:
                    yield process

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)
