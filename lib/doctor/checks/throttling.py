"""A processor that is kept slower than it could be: by heat, or by a limit that was set."""

import contextlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.processes.command import run

NAME = "throttling"
CPUS = Path("/sys/devices/system/cpu")
PROFILE = Path("/sys/firmware/acpi/platform_profile")
LIMITED = 0.85  # of the highest frequency
PMSET_SECONDS = 2.0
_SPEED = re.compile(r"CPU_Speed_Limit\s*=\s*(\d{1,3})")

_throttled_before: dict[str, int] = {}  # the counts of the look before


class Facts(NamedTuple):
    """What the system tells; None where it does not."""

    hot_cores: int = 0  # that were slowed for heat since the look before
    limit: float | None = None  # the highest frequency allowed, as a part of the highest there is
    profile: str = ""  # of the firmware: low-power, balanced, performance


def gathered() -> Facts:
    """On Linux from /sys; macOS is asked for its speed limit."""
    if sys.platform == "darwin":
        return Facts(limit=speed_limit(run(["pmset", "-g", "therm"], seconds=PMSET_SECONDS).stdout))
    global _throttled_before
    counts = throttle_counts(CPUS)
    hot = sum(counts[cpu] > _throttled_before[cpu] for cpu in counts.keys() & _throttled_before)
    _throttled_before = counts
    return Facts(hot, frequency_limit(CPUS), _text(PROFILE))


def throttle_counts(cpus: Path) -> dict[str, int]:
    """How often each core was slowed for heat since the machine was started."""
    found = cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    return {path.parts[-3]: number for path in found if (number := _number(path)) is not None}


def frequency_limit(cpus: Path) -> float | None:
    """The tightest limit of all cores, as a part of what they can do."""
    parts = []
    for folder in cpus.glob("cpu[0-9]*/cpufreq"):
        now, highest = _number(folder / "scaling_max_freq"), _number(folder / "cpuinfo_max_freq")
        if now and highest:
            parts.append(now / highest)
    return min(parts, default=None)


def speed_limit(told: str) -> float | None:
    """`CPU_Speed_Limit = 100` as a part."""
    found = _SPEED.search(told)
    return int(found[1]) / 100 if found else None


def judged(facts: Facts) -> list[Finding]:
    """At most one finding: heat goes before a limit."""
    if facts.hot_cores:
        return [_hot(facts)]
    if facts.limit is not None and facts.limit < LIMITED:
        return [_limited(facts.limit)]
    return [_saving()] if facts.profile == "low-power" else []


def _hot(facts: Facts) -> Finding:
    return Finding(
        id=f"{NAME}:heat",
        severity=Severity.WARNING,
        title="The processor slows itself down because it is hot.",
        wanted="Air for its fans, and one thread less per model.",
        why="A hot processor works at a part of its speed for minutes.",
        fix=Fix(label="How warm it is", command="sensors"),
    )


def _limited(limit: float) -> Finding:
    on_mac = sys.platform == "darwin"
    command = "pmset -g therm" if on_mac else "sudo cpupower frequency-set --governor performance"
    return Finding(
        id=f"{NAME}:limit",
        severity=Severity.WARNING,
        title=f"The processor may run at {limit:.0%} of its highest frequency only.",
        wanted="All of it, while models run.",
        why="Reading prompts takes as much longer as the processor is slower.",
        fix=Fix(label="Look closer" if on_mac else "Lift the limit", command=command),
        facts=(f"{limit:.1f}",),
    )


def _saving() -> Finding:
    return Finding(
        id=f"{NAME}:profile",
        severity=Severity.HINT,
        title="The machine saves power: its profile is low-power.",
        wanted="Balanced or performance, while models run.",
        why="The processor stays below its full speed.",
        fix=Fix(label="Change it", command="powerprofilesctl set balanced"),
    )


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdigit() else None


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""


CHECK = Check(NAME, gathered, judged)
