"""Numbers as people read them: GiB for memory, GB for files, `44 s` for durations."""

import re
import time
from collections.abc import Sequence

_MEMORY = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_FILES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_SECONDS = {"h": 3_600, "min": 60, "s": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?) (h|min|s)\b")


def memory(amount: float) -> str:
    """Bytes of memory: `9.9 GiB`, `640 MiB`."""
    return _sized(amount, _MEMORY)


def disk(amount: float) -> str:
    """Bytes of a file or download, as the Hub shows them: `2.0 GB`, `491 MB`."""
    return _sized(amount, _FILES)


def _sized(amount: float, units: tuple[tuple[str, int], ...]) -> str:
    for unit, size in units:
        if amount >= size:
            value = amount / size
            return f"{value:.1f} {unit}" if value < 10 or size >= 10**9 else f"{value:,.0f} {unit}"
    return f"{amount:,.0f} B"


def duration(seconds: float) -> str:
    """`0.21 s`, `44 s`, `1 min 42 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def at_most(tokens_per_second: float) -> str:
    """`at most 8.5 tok/s`: an upper bound, and said to be one; never a nought."""
    if tokens_per_second < 0.1:
        return "less than 0.1 tok/s"
    digits = 0 if tokens_per_second >= 10 else 1
    return f"at most {tokens_per_second:,.{digits}f} tok/s"


def seconds(text: str) -> float | None:
    """The seconds of what `duration` has written; None where none of it is one."""
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def ago(epoch: float, now: float | None = None) -> str:
    """`just now`, `2 min ago`, `3 days ago`."""
    past = max(0.0, (time.time() if now is None else now) - epoch)
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        count = int(past // size)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def count(number: int, one: str, many: str = "") -> str:
    """`1 model`, `2 models`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def megapixels(pixels: int) -> str:
    """`0.1 megapixels`, `2.4 megapixels`."""
    return f"{pixels / 1e6:.1f} megapixels"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = names or ("",)
    return f"{', '.join(before)} and {last}" if before else last
