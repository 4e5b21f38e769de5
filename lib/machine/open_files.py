"""How many files, and so connections, this process may have open."""

import contextlib
import resource

MOST = 65_536  # beyond it some programs that we start take long to close what they do not need
ON_MACOS = 10_240  # its kernel takes no more, whatever its limit says (OPEN_MAX)


def raise_limit() -> int:
    """Raise the limit as far as this user may, once at the start; what it is then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (MOST, ON_MACOS):
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if most <= limit():
            break
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            break
    return limit()


def limit() -> int:
    """As many as may be open now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else soft
