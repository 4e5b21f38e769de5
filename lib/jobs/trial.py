"""One test of what was deployed, told to the person and the dashboard."""

import time
from collections.abc import Callable
from typing import TypeVar

from lib.core import words
from lib.core.errors import BerthError, NoAnswer
from lib.jobs.report import Report

Result = TypeVar("Result")


def tried(what: str, test: Callable[[], Result], report: Report) -> Result:
    """What the test returns, noted with its time; NoAnswer names the test that failed, and why."""
    began = time.monotonic()
    try:
        result = test()
    except BerthError as error:
        raise NoAnswer(f"Test failed: {what}. {error.message}", error.fix) from error
    report.note(f"  passed: {what} ({words.duration(time.monotonic() - began)})")
    return result
