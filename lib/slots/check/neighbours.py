"""What is on the slot already: services that are not Berth's, and programs on its port."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from lib.core.errors import BerthError, Conflict
from lib.engines.vllm.places import Places, port, unit_name
from lib.engines.vllm.units import Unit, mark_of

_ELSEWHERE = ("usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system")
_FOREIGN_FIX = "It is left alone. Choose another slot, or rename that service."


def foreign_service(places: Places, slot: int) -> Iterator[BerthError]:
    """A service of the slot's name that nobody but its owner may replace."""
    name = unit_name(slot)
    file = places.unit(slot)
    if file.is_symlink():
        yield Conflict(
            f"{name} is a link to {file.readlink()}, not a service of Berth's.", _FOREIGN_FIX
        )
    elif file.exists() and not mark_of(_text(file)):
        yield Conflict(f"{name} exists and does not carry Berth's mark.", _FOREIGN_FIX)
    for folder in _ELSEWHERE:
        if (places.root / folder / name).exists():
            yield Conflict(f"{name} exists in /{folder} and is not Berth's.", _FOREIGN_FIX)
            break


def busy_port(slot: int, *, is_running: bool) -> Iterator[BerthError]:
    """Another program where the slot's engine should listen, unless that is there itself."""
    for pid in () if is_running else _listeners(port(slot)):
        if not is_of_slot(pid, slot):
            yield Conflict(
                f"Port {port(slot)} is used by {_named(pid)}.",
                "End that program, or choose another slot.",
            )


def same_name(units: list[Unit], slot: int, model: str, served_name: str) -> Iterator[BerthError]:
    """Two models of one name would answer in turns."""
    for unit in units:
        if unit.slot != slot and unit.served_name == served_name and unit.model != model:
            yield Conflict(
                f"Slot {unit.slot} serves {unit.model} under the name {served_name}.",
                "Give this one another: --served-name NAME.",
            )


def is_of_slot(pid: int, slot: int) -> bool:
    """Does the process belong to the slot's service?"""
    return unit_name(slot) in _service_of(pid)


def _listeners(number: int) -> list[int]:
    """Who listens there on this machine; 0 for a process that may not be seen."""
    found = {
        connection.pid or 0
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and getattr(connection.laddr, "port", 0) == number
    }
    return sorted(found)


def _service_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    return ""


def _named(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return (
            f"{psutil.Process(pid).name()} (process {pid})" if pid else "another account's program"
        )
    return f"process {pid}"


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace")
    return ""
