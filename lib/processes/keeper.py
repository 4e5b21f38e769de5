"""Runs one engine in the background, keeps its log short and records how it ended.

Run as `python -I -S keeper.py EXIT_FILE LOG PID_FILE COMMAND…` in a session of its own. It leaves
its caller at once, after printing the engine's pid, and stays (10 MB) for as long as the engine
does: so the exit code is known although whoever asked for the engine may be gone. The pid file says
which process the engine is before it is the engine, so that none is ever lost. The engine writes to
the log by itself; killing this process costs the exit code and nothing else. Standard library only.
"""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # isolated mode leaves it out

from lib.processes.birth import born

LOG_LIMIT_BYTES = 4_000_000
LOG_KEPT_BYTES = 1_000_000
LOG_LOOK_SECONDS = 30


def main(exit_file: Path, log: Path, pid_file: Path, command: list[str]) -> None:
    """Start the command in the background; its pid on stdout, or why not on stderr."""
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the whole group is told: outlive the engine
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core has the size of the model
    engine = start(log, pid_file, command)
    os.write(1, f"{engine}\n".encode())
    os.dup2(2, 1)  # the caller waits for the end of what it can read
    signal.signal(signal.SIGALRM, lambda *_: shorten(log))
    signal.setitimer(signal.ITIMER_REAL, LOG_LOOK_SECONDS, LOG_LOOK_SECONDS)
    code = os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1])
    part = exit_file.with_name(f".{exit_file.name}.part")
    part.write_text(f"{engine} {code}\n")
    part.replace(exit_file)


def start(log: Path, pid_file: Path, command: list[str]) -> int:
    """The pid of the command, whose output is added to the log."""
    to_log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    reader, writer = os.pipe()  # closed by the very step that makes the command of it
    engine = os.fork()
    if not engine:
        become(command, to_log, pid_file, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as said:
        if why := said.read():
            sys.exit(why)
    return engine


def become(command: list[str], to_log: int, pid_file: Path, writer: int) -> NoReturn:
    """Note which process this is, then be the command; what prevents that is said."""
    try:
        note(pid_file)
        os.dup2(to_log, 1)
        os.dup2(to_log, 2)
        os.execv(command[0], command)
    except OSError as error:
        os.write(writer, f"{command[0]} cannot be run: {error.strerror}.".encode())
    finally:
        os._exit(127)


def note(pid_file: Path) -> None:
    """Write down which process this is."""
    part = pid_file.with_name(f".{pid_file.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{os.getpid()} {born(os.getpid())}\n")
    part.replace(pid_file)


def shorten(log: Path) -> None:
    """Keep the log's end alone once it has grown too long; the writer appends, so it goes on."""
    with contextlib.suppress(OSError), log.open("r+b") as file:
        if file.seek(0, os.SEEK_END) <= LOG_LIMIT_BYTES:
            return
        file.seek(-LOG_KEPT_BYTES, os.SEEK_END)
        end = file.read().partition(b"\n")[2]
        file.seek(0)
        file.write(end)
        file.truncate()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
