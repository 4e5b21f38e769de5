"""Where the dashboard of this BERTH_HOME runs, for setup.sh, the command line and itself.

The record is a file; it counts only while the process that wrote it lives. Where several run on one
home it is the newest one's, and each has a record of its own: who ends leaves the others known.
"""

import contextlib
import errno
import logging
import os
import socket
from pathlib import Path

from pydantic import ValidationError

from lib.core.errors import BadInput, Conflict
from lib.core.files import make_private, read_json, write_json
from lib.core.settings import ROOT, settings
from lib.processes import background as process

HOST = "127.0.0.1"
LAST_PORT = 65_535
OFFERED_PORTS = 100  # how far above the taken one to look for a free one


class Dashboard(process.Child):
    """A running dashboard."""

    port: int
    url: str


def running() -> Dashboard | None:
    """The running dashboard; None where there is none, or its record is stale."""
    return _living(_record())


def is_outdated(found: Dashboard) -> bool:
    """Has Berth's folder been changed since this one was started? It runs as it was then.

    By when a file was put there: copies and archives may bring times of their own along.
    """
    files = [ROOT / "requirements.txt", *(ROOT / "lib").rglob("*.py")]
    with contextlib.suppress(OSError):
        return max(file.stat().st_ctime for file in files) > found.created_at
    return False


def others() -> list[Dashboard]:
    """Those that run beside this process on the same home, the newest first."""
    found = [_living(path) for path in _each().glob("*.json")]
    living = [one for one in found if one and one.pid != os.getpid()]
    return sorted(living, key=lambda one: -one.created_at)


def announce(port: int) -> None:
    """Record that this process is the dashboard, on this port; it works without the record too."""
    me = Dashboard(**process.known(os.getpid()).model_dump(), port=port, url=address(port))
    try:
        make_private(_each())
        for path in (_own(), _record()):
            write_json(path, me.model_dump())
    except OSError as error:
        logging.warning("%s cannot be written: %s.", _record(), error.strerror)


def withdraw() -> None:
    """Remove the record, unless it is another dashboard's; one that still runs takes its place."""
    with contextlib.suppress(OSError):
        _own().unlink(missing_ok=True)
        for path in _each().glob("*.json"):
            if _living(path) is None:  # it was killed
                path.unlink(missing_ok=True)
        found = running()
        if found is not None and found.pid == os.getpid():
            _hand_over()


def _hand_over() -> None:
    """The newest of the others is the dashboard now, if there is any."""
    if left := others():
        write_json(_record(), left[0].model_dump())
    else:
        _record().unlink(missing_ok=True)


def address(port: int) -> str:
    """What to type into the browser."""
    return f"http://localhost:{port}"


def listening(port: int) -> socket.socket:
    """A socket that listens on this port of this machine alone; 0 means any free one.

    Conflict names the next free port where this one is taken; BadInput where it cannot be used.
    """
    if not 0 <= port <= LAST_PORT:
        raise BadInput(f"{port} is not a port.", f"Ports go from 1024 to {LAST_PORT}.")
    if port and _is_taken(port):
        raise _conflict(port)
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _conflict(port) from error
        raise BadInput(
            f"Port {port} cannot be used: {error.strerror}.", "Choose one above 1023."
        ) from error


def _conflict(port: int) -> Conflict:
    found = running()
    if found is not None and found.port == port:
        return Conflict(f"Berth already runs at {found.url}.", "Open it, or stop it first.")
    others = range(port + 1, min(port + OFFERED_PORTS, LAST_PORT) + 1)
    free = next((other for other in others if not _is_taken(other)), None)
    taken = f"Port {port} is used by another program"
    if free is None:
        return Conflict(f"{taken}.", "Start with --port 0 for any free one.")
    return Conflict(f"{taken}; {free} is free.", f"Start with --port {free}.")


def _is_taken(port: int) -> bool:
    """Does anything answer there? On macOS, binding beside it could succeed."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _living(path: Path) -> Dashboard | None:
    try:
        found = Dashboard.model_validate(read_json(path))
    except ValidationError:
        return None
    return found if process.is_alive(found) else None


def _record() -> Path:
    return settings().home / "dashboard.json"


def _each() -> Path:
    return settings().home / "dashboards"


def _own() -> Path:
    return _each() / f"{os.getpid()}.json"
