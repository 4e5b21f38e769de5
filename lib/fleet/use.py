"""Who uses a model just now, and when it was last used: what is in use is never stopped by itself.

By name alone, as the gateway's callers know no more: two engines may have one of the same name, and
then both count as used.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

MOST_REMEMBERED = 4_096  # names; a caller may make them up

_users: Counter[str] = Counter()
_last: dict[str, float] = {}  # on the monotonic clock, which nobody sets
_lock = threading.Lock()


@contextlib.contextmanager
def using(model: str) -> Iterator[None]:
    """Within it somebody waits for the model, or reads what it writes."""
    with _lock:
        _users[model] += 1
        _note(model)
    try:
        yield
    finally:
        with _lock:
            _users[model] -= 1
            if _users[model] <= 0:
                del _users[model]
            _note(model)


def is_busy(model: str) -> bool:
    """Does anybody use it now?"""
    return _users[model] > 0


def last_used(model: str) -> float | None:
    """On the monotonic clock; None where nobody has since this dashboard began."""
    return _last.get(model)


def _note(model: str) -> None:
    """The one that was used last stands last."""
    _last.pop(model, None)
    _last[model] = time.monotonic()
    while len(_last) > MOST_REMEMBERED:
        del _last[next(iter(_last))]
