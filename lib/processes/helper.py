"""Children for the length of one block: they read what may be hostile, and never outlive it."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO


class Helper:
    """A running child."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """Its output, line by line as it comes."""
        for line in self._process.stdout or ():
            yield line.decode("utf-8", "replace")

    def output(self, within_seconds: float) -> bytes | None:
        """All its output when it has ended; None where it has not by then: ask again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.communicate(timeout=within_seconds)[0]
        return None


@contextlib.contextmanager
def helper(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: IO[bytes] | None = None,
    with_errors: bool = False,
    kill_after_seconds: float | None = None,
) -> Iterator[Helper]:
    """Run the command beside the block, in a session of its own; killed when the block ends.

    Its errors are a part of its output, or go nowhere.
    """
    process = subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    )
    watch = None
    if kill_after_seconds is not None:
        watch = threading.Timer(kill_after_seconds, process.kill)
        watch.start()
    try:
        yield Helper(process)
    finally:
        if watch:
            watch.cancel()
        process.kill()
        process.communicate()
