"""Which start of the machine this is: another text after every one, whatever its clock says."""

import sys
from functools import cache
from pathlib import Path

import psutil

from lib.machine.processor import sysctl

_LINUX = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> str:
    """As the kernel names it; where it does not, the time at which it started."""
    if sys.platform == "darwin":
        named = sysctl("kern.bootsessionuuid")
    else:
        try:
            named = _LINUX.read_text(encoding="ascii").strip()
        except OSError:
            named = ""
    return named or f"{psutil.boot_time():.0f}"
