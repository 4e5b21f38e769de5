"""One program run to its end: what it said and how it ended. No shell, and never without a limit.

It keeps the terminal of its caller, because what a person has granted there (sudo) hangs on it.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from lib.core.values import Frozen

NOT_FOUND = 127
TIMED_OUT = 124
LAST_FILE = 65_536  # no process of ours has one above
KILL_SECONDS = 2.0  # so long a program that was killed may hold on to its output


class Done(Frozen):
    """How a program ended; `code` is −N for signal N, 127 where there is no such program."""

    code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def is_good(self) -> bool:
        """Did it end with 0?"""
        return self.code == 0


def become(command: Sequence[str], folder: Path) -> NoReturn:
    """Go on as this program, in this process, and with nothing open but its terminal."""
    os.chdir(folder)
    os.closerange(3, LAST_FILE)
    os.execv(command[0], [*command])


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    input_bytes: bytes = b"",
    seconds: float = 30.0,
) -> Done:
    """Run the program with these arguments; after `seconds` its group is killed and `code` is 124.

    What it needs and nobody else may read goes into its input, never into its arguments. Without an
    `environment` it has the caller's.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            process_group=0,
        )
    except OSError as error:
        return Done(code=NOT_FOUND, stderr=f"{command[0]} cannot be run: {error.strerror}.")
    try:
        return _ended(process, input_bytes, seconds)
    except BaseException:
        _kill(process)
        raise


def _ended(process: "subprocess.Popen[bytes]", input_bytes: bytes, seconds: float) -> Done:
    with contextlib.suppress(subprocess.TimeoutExpired):
        said, errors = process.communicate(input_bytes, timeout=seconds)
        return Done(code=process.returncode, stdout=_text(said), stderr=_text(errors))
    said, errors = _kill(process)
    return Done(code=TIMED_OUT, stdout=_text(said), stderr=_text(errors))


def _kill(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """What the program had said. One of root's cannot be killed: then somebody else collects it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=KILL_SECONDS)
    except subprocess.TimeoutExpired as error:
        threading.Thread(target=process.wait, name=f"late-{process.pid}", daemon=True).start()
        return error.stdout or b"", error.stderr or b""


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
