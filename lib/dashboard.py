"""Where the dashboard of this BERTH_HOME runs, for setup.sh, the command line and itself.

The record is a file; it counts only while the process that wrote it lives.
"""

import errno
import os
import socket

import psutil
from pydantic import ValidationError

from lib.engines.base import Frozen
from lib.errors import BadInput, Conflict
from lib.files import read_json, write_json
from lib.settings import settings

HOST = "127.0.0.1"
_SAME_SECONDS = 1.0  # create times of one process, read twice, differ by less


class Dashboard(Frozen):
    """A running dashboard. A pid alone may have been given to another process since."""

    pid: int
    create_time: float  # epoch seconds
    port: int
    url: str

    @property
    def is_running(self) -> bool:
        """Does the process that wrote this still live?"""
        try:
            created = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return abs(created - self.create_time) < _SAME_SECONDS


def listening(port: int) -> socket.socket:
    """A socket that listens on this port of this machine alone; 0 means any free one.

    Conflict names the next free port where this one is taken; BadInput where it cannot be used.
    """
    try:
        if port and _is_taken(port):
            raise OSError(errno.EADDRINUSE, "taken")
        return _bound(port)
    except OverflowError as error:
        raise BadInput(f"{port} is not a port.", "Ports go from 1024 to 65535.") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise BadInput(
                f"Port {port} cannot be used: {error.strerror}.", "Choose one above 1023."
            ) from error
        raise _conflict(port) from error


def _conflict(port: int) -> Conflict:
    found = running()
    if found is not None and found.port == port:
        return Conflict(f"Berth already runs at {found.url}.", "Open it, or stop it first.")
    free = next((n for n in range(port + 1, port + 101) if not _is_taken(n)), 0)
    return Conflict(
        f"Port {port} is used by another program; {free} is free.", f"Start with --port {free}."
    )


def _is_taken(port: int) -> bool:
    """Does anything answer there? On macOS, binding beside it would succeed."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def address(port: int) -> str:
    """What to type into the browser."""
    return f"http://localhost:{port}"


def running() -> Dashboard | None:
    """The running dashboard; None where there is none, or its record is stale."""
    try:
        found = Dashboard.model_validate(read_json(settings().home / "dashboard.json"))
    except ValidationError:
        return None
    return found if found.is_running else None


def announce(port: int) -> None:
    """Record that this process is the dashboard, on this port."""
    me = psutil.Process()
    record = Dashboard(pid=me.pid, create_time=me.create_time(), port=port, url=address(port))
    write_json(settings().home / "dashboard.json", record.model_dump())


def withdraw() -> None:
    """Remove the record, unless another dashboard has written its own since."""
    found = running()
    if found is not None and found.pid == os.getpid():
        (settings().home / "dashboard.json").unlink(missing_ok=True)
