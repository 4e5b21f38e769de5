"""Runs the command of one job, keeps its output and records its exit code.

Run as `python -I -S runner.py FOLDER` in a session of its own: 10 MB, and independent of the
dashboard, the virtual environment and the browser. Standard library only.

The folder has job.json and `alive`, a lock this process has inherited and its child inherits in
turn: whoever finds it free knows that the job is over, however it ended.
"""

import contextlib
import errno
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # isolated mode leaves it out

from lib.core import locks
from lib.core.redact import Redactor, known_secrets
from lib.jobs.log import Log
from lib.processes.birth import born

TURN_SECONDS = 0.25
LAST_WORDS_SECONDS = 5.0
PIPE_BYTES = 65_536
CANNOT_RUN, NO_COMMAND = 126, 127  # the shell's own codes

_asked_to_end = 0


def main(folder: Path) -> None:
    """Wait for the jobs before this one, run the command, record how it ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _remember)
    record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    (folder / "reserve").unlink(missing_ok=True)
    me = {"pid": os.getpid(), "created": time.time(), "birth": born(os.getpid())}
    _write(folder / "runner", json.dumps(me))
    (folder / "exit_code.part").write_text(" " * 8, encoding="utf-8")
    is_wanted = wait_for_turn(folder.parent, record["after"])
    if is_wanted and not (folder / "cancelled").exists():  # perhaps before this process could hear
        _write(folder / "started", f"{time.time()}\n")
        run(record["command"], folder)
    else:
        record_exit(folder, 128 + (_asked_to_end or signal.SIGTERM))


def _remember(number: int, _frame: FrameType | None) -> None:
    """The whole group is asked, the command too; this process stays to record how that ends."""
    global _asked_to_end
    _asked_to_end = number


def wait_for_turn(jobs: Path, before: list[str]) -> bool:
    """Return when all jobs before this one are over; False where this one is to end instead."""
    waiting = [jobs / name for name in before]
    while waiting and not _asked_to_end:
        waiting = [job for job in waiting if not is_over(job)]
        if waiting:
            time.sleep(TURN_SECONDS)
    return not _asked_to_end


def is_over(job: Path) -> bool:
    """Has this job ended, or been lost with all its processes?"""
    return (job / "exit_code").exists() or not locks.is_held(job / "alive")


def run(command: list[str], folder: Path) -> None:
    """Run the command to its end; nothing ever waits for an answer."""
    reader, writer = os.pipe()
    try:
        child = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them, others expect them
        )
    except OSError as error:
        text = f"{command[0][:500]} cannot be run: {error.strerror}.\n"
        os.write(writer, text.encode("utf-8", "replace"))
        os.close(writer)
        pump(reader, [], folder)
        record_exit(folder, NO_COMMAND if error.errno == errno.ENOENT else CANNOT_RUN)
    else:
        os.close(writer)
        follow(child, reader, folder)


def follow(child: int, reader: int, folder: Path) -> None:
    """Wait for the command, then for its last words in the log, and record the code."""
    pump_process = PumpProcess(reader, folder)
    pid, status = os.wait()
    while pid != child:
        if os.WIFSIGNALED(status):  # this pump was killed; the command must not notice
            pump_process = PumpProcess(reader, folder)
        pid, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:  # nobody is left who would end its steps
        os.killpg(0, signal.SIGTERM)
    pump_process.complete_log()
    record_exit(folder, code if code >= 0 else 128 - code)  # 128 + N where signal N ended it
    if code < 0 and not pump_process.has_ended(LAST_WORDS_SECONDS):
        os.killpg(0, signal.SIGKILL)


class PumpProcess:
    """A fork that brings the output into the log for as long as anybody can write any.

    It is a process of its own so that the command goes on when the runner is killed, and so that
    a service which the command leaves running finds its output open after the runner has gone.
    """

    def __init__(self, reader: int, folder: Path) -> None:
        their_end, self._command_runs = os.pipe()
        self._log_is_open, our_end = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._command_runs)
            os.close(self._log_is_open)
            try:
                pump(reader, [their_end, our_end], folder)
            finally:
                os._exit(0)
        os.close(their_end)
        os.close(our_end)

    def has_ended(self, seconds: float) -> bool:
        """Has everybody who could write ended within this time?"""
        give_up_at = time.monotonic() + seconds
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > give_up_at:
                return False
            time.sleep(TURN_SECONDS / 5)
        return True

    def complete_log(self) -> None:
        """Return when all that the command wrote is in the log.

        A service that never stops to write must not keep the job from ending.
        """
        os.close(self._command_runs)
        select.select([self._log_is_open], [], [], LAST_WORDS_SECONDS)


def pump(reader: int, ends: list[int], folder: Path) -> None:
    """Log what comes, until nobody can write any more.

    Of the two ends of pipes, the first can be read from when the command is over; closing the
    second says that the log is complete so far.
    """
    log = Log(folder / "log", Redactor(known_secrets(os.environ)))
    while (data := _read(reader, ends[:1])) != b"":
        log.write(data or b"")
        if data is None:
            log.flush()
            while ends:
                os.close(ends.pop())
    log.close()


def _read(reader: int, command_over: list[int]) -> bytes | None:
    """The next output, empty where there can be none; None once the command is over."""
    ready, _, _ = select.select([reader, *command_over], [], [])
    return os.read(reader, PIPE_BYTES) if reader in ready else None


def record_exit(folder: Path, code: int) -> None:
    """Make the exit code appear in one step, in the block reserved for it."""
    part = folder / "exit_code.part"
    with contextlib.suppress(OSError), part.open("r+", encoding="utf-8") as file:
        file.write(f"{code}\n")
        file.truncate()
    with contextlib.suppress(OSError):
        part.replace(folder / "exit_code")


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
