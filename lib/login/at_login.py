"""Berth starts when its user logs in: a unit of systemd's user manager, or an agent of launchd.

Where there is no systemd, the desktop starts it. With it come the models whose rule says so, and
what stops, restarts and schedules them. Models outlive the dashboard that is started so, as they do
any other.
"""

import os
import sys
from pathlib import Path

from lib.core.access import Action, require
from lib.core.errors import EngineError
from lib.core.settings import settings
from lib.login import linux, macos, piece, started
from lib.login.piece import Piece, Standing
from lib.processes.command import run

UNIT = "berth.service"
COMMAND_SECONDS = 10.0


def look() -> Standing:
    """Reads a file or two. BadInput where a path cannot stand in one."""
    return _standing(0)


def turn_on(port: int = 0) -> str:
    """Write it; what is so now, in a sentence."""
    require(Action.CONFIGURE)
    if sys.platform == "darwin" or not _has_systemd():
        return _begun(_agent(port) if sys.platform == "darwin" else _entry(port))
    unit = _unit(port)
    piece.write([Piece(unit.path, unit.text)])
    try:
        _enable()
    except EngineError:
        _put_back(unit)
        return _begun(_entry(port))
    piece.remove(_entry_path())
    return f"Berth starts when you log in. {before_login()}".strip()


def turn_off() -> str:
    """Remove it, in whichever way it was written; what runs goes on."""
    require(Action.CONFIGURE)
    if sys.platform == "darwin":
        piece.remove(_agent_path())
    else:
        _remove_unit()
        piece.remove(_entry_path())
    return "Berth does not start by itself any more; what runs goes on."


def before_login() -> str:
    """How it starts with the machine, before anybody has logged in; "" where it does, or cannot."""
    if sys.platform == "darwin" or not _unit_path().exists() or _lingers():
        return ""
    return "To have it start with the machine, before you log in: loginctl enable-linger"


def _standing(port: int) -> Standing:
    """What is there, else what would be."""
    if sys.platform == "darwin":
        return _agent(port)
    unit, entry = _unit(port), _entry(port)
    if unit.found or entry.found:
        return unit if unit.found else entry
    return unit if _has_systemd() else entry


def _agent(port: int) -> Standing:
    path, text = _agent_path(), macos.agent(started.now(port))
    return Standing("launchd agent", path, text, piece.read(path), macos.essence_of_agent)


def _unit(port: int) -> Standing:
    path, text = _unit_path(), linux.unit(started.now(port))
    off = not (path.parent / "default.target.wants" / UNIT).is_symlink()
    found, essence = piece.read(path), linux.essence_of_unit
    return Standing("systemd user unit", path, text, found, essence, off)


def _entry(port: int) -> Standing:
    path, text = _entry_path(), linux.at_login(started.now(port))
    found, essence = piece.read(path), linux.essence_of_entry
    off = linux.is_switched_off(found)
    return Standing("autostart entry of your desktop", path, text, found, essence, off)


def _begun(now: Standing) -> str:
    piece.write([Piece(now.path, now.text)])
    return f"Berth starts when you log in ({now.what})."


def _enable() -> None:
    for words in (("daemon-reload",), ("enable", UNIT)):
        if complaint := _systemctl(*words):
            raise EngineError(f"This system starts nothing for its users: {complaint}")


def _put_back(unit: Standing) -> None:
    """As it was before the try."""
    if unit.found:
        piece.write([Piece(unit.path, unit.found)])
    else:
        piece.remove(unit.path)


def _remove_unit() -> None:
    path = _unit_path()
    if not path.exists():
        return
    _systemctl("disable", UNIT)
    piece.remove(path)
    piece.remove(path.parent / "default.target.wants" / UNIT)
    _systemctl("daemon-reload")


def _systemctl(*words: str) -> str:
    """What it complains of; "" where it did it."""
    done = run(["systemctl", "--user", *words], seconds=COMMAND_SECONDS)
    said = " ".join((done.stderr or done.stdout).split())
    said = said.rstrip(".") or f"systemctl ended with {done.code}"
    return "" if done.is_good else f"{said}."


def _has_systemd() -> bool:
    """Did systemd start this machine? As sd_booted(3) tells."""
    return (settings().system_root / "run/systemd/system").is_dir()


def _lingers() -> bool:
    named = os.environ.get("USER") or str(os.getuid())
    return (settings().system_root / "var/lib/systemd/linger" / named).exists()


def _agent_path() -> Path:
    return Path.home() / "Library/LaunchAgents" / f"{macos.LABEL}.plist"


def _unit_path() -> Path:
    return _configuration() / "systemd/user" / UNIT


def _entry_path() -> Path:
    return _configuration() / "autostart" / "berth.desktop"


def _configuration() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
