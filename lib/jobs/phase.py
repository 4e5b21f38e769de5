"""One step of a script: a command that reports what it does and ends with a code that says how."""

import signal
from collections.abc import Callable
from types import FrameType

from lib.core import patience
from lib.core.errors import BerthError
from lib.jobs.events import PhaseState
from lib.jobs.report import Report

CANCELLED = 130
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(work: Callable[[Report], None], goodbye: str = "Interrupted.") -> int:
    """Do it and return the exit code; the last line says what went wrong and what to do next.

    `goodbye` is what to say where somebody interrupts it.
    """
    report = Report()
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with patience.of_a_command():
            work(report)
    except BerthError as error:
        report.end(str(error), PhaseState.FAILED)
        return error.exit_code
    except KeyboardInterrupt:
        report.end(goodbye, PhaseState.CANCELLED)
        return CANCELLED
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal ends the work in order; later ones must not disturb that.

    They are taken and passed over: Python complains of one that comes while it begins to ignore it.
    """
    for number in _SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    raise KeyboardInterrupt
