"""Programs in the background: started, found again by pid and birth, asked and made to end.

The log of such a program is kept short, and its exit code recorded, by keeper.py.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from lib.core.errors import EngineError
from lib.core.files import make_private, tail
from lib.core.values import Frozen
from lib.processes import keeper
from lib.processes.birth import born
from lib.processes.identity import created_at, is_same, living

# Asked, asked again (llama-server takes that as "at once"), made to. Signal, seconds to wait.
Ladder = Sequence[tuple[signal.Signals, float]]
LADDER: Ladder = ((signal.SIGTERM, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))
PID_ENDING = ".pid"
POLL_SECONDS = 0.02
_KIB = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)
RECORDING_SECONDS = 0.5  # an exit code is on disk so long after the end, or never will be
SAME_SECONDS = 2.0  # for records without a birth: create times come from a clock


class ProgramFault(EngineError):
    """It ended for a reason that lies in the program: another one may do with the same model."""


class Child(Frozen):
    """A process: its pid may be used again, but not together with its birth."""

    pid: int
    created_at: float  # epoch seconds, as the system told it
    birth: str = ""  # as birth.py tells it; "" in records of before, and where it is not told


def me() -> Child:
    """This process, as others may find it."""
    pid = os.getpid()
    return Child(pid=pid, created_at=created_at(pid), birth=born(pid))


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, exit_file: Path
) -> Child:
    """Run the program in a session of its own, its output in a new log that is the owner's alone.

    It outlives this process. Before it runs, its process is noted beside `exit_file`: see `noted`.
    ProgramFault where it cannot be run at all.
    """
    make_private(log.parent)
    pid_file = exit_file.with_suffix(PID_ENDING)
    for old in (log, exit_file, pid_file):
        old.unlink(missing_ok=True)
    files = [str(exit_file), str(log), str(pid_file)]
    script = [sys.executable, "-I", "-S", keeper.__file__, *files, *command]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as output:
        done = subprocess.run(
            script,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            check=False,
        )
    if not done.stdout.strip():
        why = tail(log).strip().rpartition("\n")[2]
        raise ProgramFault(why or f"{command[0]} cannot be run.", f"See {log}.")
    pid = int(done.stdout)
    return known(pid)


def noted(exit_file: Path) -> Child | None:
    """The process that was started last with this exit file, also where its starter died."""
    with contextlib.suppress(OSError, ValueError):
        pid_file = exit_file.with_suffix(PID_ENDING)
        pid, _, birth = pid_file.read_text(encoding="ascii").strip().partition(" ")
        child = Child(pid=int(pid), created_at=created_at(int(pid)), birth=birth)
        if birth or child.created_at < pid_file.stat().st_mtime + SAME_SECONDS:
            return child  # else the pid is somebody's who came later
    return None


def known(pid: int) -> Child:
    """A process that runs, as it is found again."""
    return Child(pid=pid, created_at=created_at(pid), birth=born(pid))


def is_alive(child: Child) -> bool:
    """Does this very process still run?"""
    process = living(child.pid)
    return process is not None and is_same(process, child.birth, child.created_at, SAME_SECONDS)


def exit_code(child: Child, exit_file: Path) -> int | None:
    """How an ended child ended, −N for signal N; None where nobody saw it, as in a power cut."""
    codes: list[int] = []

    def is_recorded() -> bool:
        with contextlib.suppress(OSError, ValueError):
            pid, code = map(int, exit_file.read_text().split())
            codes.extend([code] if pid == child.pid else [])
        return bool(codes)

    wait_until(is_recorded, RECORDING_SECONDS)
    return codes[0] if codes else None


def stop(child: Child, exit_file: Path, ladder: Ladder = LADDER) -> None:
    """End it, and return when it is gone and its end recorded; EngineError where nothing helps."""
    group = _group(child)
    if group is None:
        return
    for number, seconds in ladder:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: only zombies left
            os.killpg(group, number)
        if wait_until(lambda: not is_alive(child), seconds):
            break
    else:
        raise EngineError(
            f"The engine (process {child.pid}) could not be ended.",
            "It may wait for a disk. Try again later, or restart the machine.",
        )
    exit_code(child, exit_file)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-group, 0)  # in a container this may be process 1, which inherits the keeper


class Held(Frozen):
    """Memory that is a process's own, in bytes."""

    bytes: int  # its share of all pages that it uses (PSS on Linux), else those that are its alone
    of_files: int = 0  # of these, pages of files: the system takes them back where memory is short


def held(child: Child) -> Held | None:
    """What it holds; None where it has ended. Takes some 5 ms for a GB, as all pages are looked at.

    A text of the kernel on Linux (`/proc/PID/smaps_rollup`), elsewhere what psutil tells.
    """
    with contextlib.suppress(OSError, KeyError, psutil.Error):
        found = _held_on_linux(child) if psutil.LINUX else _held_alone(child)
        return found if found.bytes else None  # one that is about to end
    return None


def _held_on_linux(child: Child) -> Held:
    told = Path(f"/proc/{child.pid}/smaps_rollup").read_text(encoding="ascii")
    kib = {name: int(size) for name, size in _KIB.findall(told)}
    return Held(bytes=kib["Pss"] * 1024, of_files=kib["Pss_File"] * 1024)


def _held_alone(child: Child) -> Held:
    return Held(bytes=psutil.Process(child.pid).memory_full_info().uss)


def memory_bytes(child: Child) -> int | None:
    """Resident memory; None where it has ended."""
    with contextlib.suppress(psutil.Error):
        resident: int = psutil.Process(child.pid).memory_info().rss
        return resident
    return None


def detach(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    errors: int,
    heirloom: int,
) -> None:
    """Run the program in a session of its own from `folder`, without waiting for it.

    It writes its errors to one open file, and inherits another, which may carry a lock.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
        pass_fds=(heirloom,),
    )
    # Somebody has to collect its exit status, or it stays a zombie.
    threading.Thread(target=process.wait, name=f"detached-{process.pid}", daemon=True).start()


def free_port() -> int:
    """A port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Look again and again; True as soon as it is so, False when the time is over."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _group(child: Child) -> int | None:
    """Its process group; None where it has ended."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(child.pid) if is_alive(child) else None
    return None
