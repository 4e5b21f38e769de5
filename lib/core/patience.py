"""How long whoever asks an engine may wait for it: a page hardly, a command of its own for a while.

A page reads what is known when its time is over; a command would go on with something outdated.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

PAGE_SECONDS = 0.4
COMMAND_SECONDS = 2.0

_seconds: ContextVar[float] = ContextVar("patience", default=PAGE_SECONDS)


def seconds() -> float:
    """Of whoever runs here."""
    return _seconds.get()


def is_a_commands() -> bool:
    """Does this work for itself, with no page that waits for it?"""
    return seconds() > PAGE_SECONDS


@contextlib.contextmanager
def of_a_command() -> Iterator[None]:
    """What is done in it may wait for engines."""
    before = _seconds.set(COMMAND_SECONDS)
    try:
        yield
    finally:
        _seconds.reset(before)
