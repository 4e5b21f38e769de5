"""Which of the machine's processes are ours: this one, jobs, and what runs models for Berth."""

import contextlib
import os

import psutil

from lib import dashboard
from lib.core.settings import settings
from lib.engines.llamacpp import records
from lib.processes.group import ProcessGroup


def own_pids() -> frozenset[int]:
    """With all that they have started."""
    found = {os.getpid(), *(record.pid for record in records.read_all() if record.pid)}
    found |= {one.pid for one in dashboard.others()}
    found |= _of_jobs()
    return frozenset(found | {child for pid in found for child in _below(pid)})


def _of_jobs() -> set[int]:
    found = set()
    for runner in settings().jobs.glob("*/runner"):
        with contextlib.suppress(OSError, ValueError):
            group = ProcessGroup.model_validate_json(runner.read_bytes())
            found |= {process.pid for process in group.members()}
    return found


def _below(pid: int) -> set[int]:
    with contextlib.suppress(psutil.Error):
        return {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return set()
