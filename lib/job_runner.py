"""Runs the command of one job, keeps its output and records its exit code.

Run as `python -I -S job_runner.py FOLDER` in a session of its own: 10 MB, and independent of the
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # isolated mode leaves it out

from lib import locks
from lib.job_log import Log
from lib.redact import Redactor, known_secrets

POLL_SECONDS = 0.25
PIPE_BYTES = 65_536
CANNOT_RUN, NO_COMMAND = 126, 127  # the shell's own codes

_asked_to_end = 0


def main(folder: Path) -> None:
    """Wait for the jobs before this one, run the command, record how it ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _remember)
    record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    _write(folder / "runner", json.dumps({"pid": os.getpid(), "created": time.time()}))
    (folder / "exit_code.part").write_text(" " * 8, encoding="utf-8")
    if wait_for_turn(folder.parent, record["after"]):
        _write(folder / "started", f"{time.time()}\n")
        run(record["command"], folder)
    else:
        record_exit(folder, 128 + _asked_to_end)


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
            time.sleep(POLL_SECONDS)
    return not _asked_to_end


def is_over(job: Path) -> bool:
    """Has this job ended, or been lost with all its processes?"""
    return (job / "exit_code").exists() or not locks.is_held(job / "alive")


def run(command: list[str], folder: Path) -> None:
    """Run the command to its end, its output into the log; nothing ever waits for an answer."""
    log = Log(folder / "log", Redactor(known_secrets(os.environ)))
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
        log.write(f"{command[0]} cannot be run: {error.strerror}.\n".encode())
        record_exit(folder, NO_COMMAND if error.errno == errno.ENOENT else CANNOT_RUN)
    else:
        os.close(writer)
        follow(child, reader, log, folder)
    log.close()


def follow(child: int, reader: int, log: Log, folder: Path) -> None:
    """Keep the output until nobody can write any more; record the end as soon as it is known.

    A service that the command left running may hold the pipe. Were this process to go, the
    service's next line would kill it; so it stays.
    """
    is_running = True
    while (data := _read(reader, POLL_SECONDS)) != b"":
        log.write(data or b"")
        if is_running:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                is_running = False
                _drain(reader, log)
                _finish(status, log, folder)
    if is_running:
        _finish(os.waitpid(child, 0)[1], log, folder)


def _read(reader: int, seconds: float) -> bytes | None:
    """What came within this time: None for nothing, empty where nobody can write any more."""
    ready, _, _ = select.select([reader], [], [], seconds)
    return os.read(reader, PIPE_BYTES) if ready else None


def _drain(reader: int, log: Log) -> None:
    """What the command wrote before its end belongs before the exit code: a pipe's worth."""
    for _ in range(16):
        log.write(_read(reader, 0) or b"")


def _finish(status: int, log: Log, folder: Path) -> None:
    """Complete the log, then record the code: 128 + N where signal N ended the command."""
    log.flush()
    code = os.waitstatus_to_exitcode(status)
    record_exit(folder, code if code >= 0 else 128 - code)


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
