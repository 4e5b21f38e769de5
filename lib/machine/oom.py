"""Whether the kernel ended something because memory ran out: it counts that, and nobody guesses."""

import re
from pathlib import Path

_COUNTED = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_VMSTAT = Path("/proc/vmstat")


def memory_kills() -> int | None:
    """How many processes it has ended for that since the machine started (Linux 4.13 or newer).

    Those of containers and services with limits of their own count too. None where nothing is told.
    """
    try:
        found = _COUNTED.search(_VMSTAT.read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) if found else None


def ran_out_since(before: int | None) -> bool | None:
    """Has it ended anything for that since then? None where nobody knows."""
    now = memory_kills()
    return None if now is None or before is None else now > before
