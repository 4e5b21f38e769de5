"""When a process began, in words that no step of the clock changes. Standard library only."""

from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19  # field 22 of /proc/PID/stat, counted from the third, which follows the name


def born(pid: int) -> str:
    """The boot of the machine and the clock ticks from it to the process's beginning (proc(5)).

    "" where the process is gone, and where the system tells no such thing, as macOS, whose create
    times do not move.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return f"{_BOOT.read_text(encoding='ascii').strip()} {fields[_STARTED].decode()}"
    except (OSError, IndexError):
        return ""
