"""Berth starts when its user logs in: a unit of systemd's user manager, or an agent of launchd.

With it come the models whose rule says so, and what stops, restarts and schedules them. The file is
written and removed here, and nothing else is: no root, no other account. Models outlive the
dashboard that the unit runs, as they do any other.
"""

import contextlib
import os
import plistlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from lib import dashboard
from lib.core.access import Action, require
from lib.core.errors import Conflict, EngineError
from lib.core.files import write_text
from lib.core.settings import ROOT, settings
from lib.core.unit_words import assigned, quoted, require_visible
from lib.processes.command import run

UNIT, LABEL = "berth.service", "berth.dashboard"
USUAL_PORT = 8501
COMMAND_SECONDS = 10.0
# What decides where models lie and engines are found; no secret among them.
CARRIED = (
    *("PATH", "BERTH_HOME", "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
    *("OLLAMA_HOST", "OLLAMA_MODELS", "XDG_CACHE_HOME", "BERTH_LLAMA_SERVER"),
)


class Autostart(NamedTuple):
    """What is written, and what there is."""

    path: Path
    text: str  # that would be written now
    found: str  # that is there; "" for nothing

    @property
    def is_on(self) -> bool:
        """Is there a file of ours, whatever it says?"""
        return bool(self.found)

    @property
    def is_stale(self) -> bool:
        """Does it start another folder than this, or with another BERTH_HOME?"""
        return self.is_on and _essence(self.found) != _essence(self.text)


def look() -> Autostart:
    """Reads one file. BadInput where a path cannot stand in a unit."""
    path = _path()
    found = ""
    with contextlib.suppress(OSError):
        found = path.read_text(encoding="utf-8", errors="replace")
    port = _port()
    text = _agent(port) if sys.platform == "darwin" else _unit(port)
    return Autostart(path, text, found)


def _essence(text: str) -> list[str]:
    """What is started, and on which home; the port and other variables may be of another day."""
    with contextlib.suppress(ValueError, KeyError, TypeError, plistlib.InvalidFileException):
        said = plistlib.loads(text.encode())
        home = said["EnvironmentVariables"]["BERTH_HOME"]
        return [said["WorkingDirectory"], said["ProgramArguments"][0], home]
    told = ("WorkingDirectory=", 'Environment="BERTH_HOME=', "ExecStart=")
    lines = [line for line in text.splitlines() if line.startswith(told)]
    return sorted(line.partition(" -m ")[0] for line in lines)


def turn_on() -> str:
    """Write it; what is so now, in a sentence. EngineError where this system has no such thing."""
    require(Action.CONFIGURE)
    now = look()
    try:
        write_text(now.path, now.text)
    except OSError as error:
        raise Conflict(
            f"{now.path} cannot be written: {error.strerror}.",
            "Look at the permissions of its folder.",
        ) from error
    if sys.platform != "darwin":
        _enable(now)
    return f"Berth starts when you log in. {before_login()}".strip()


def turn_off() -> str:
    """Remove it; what runs goes on."""
    require(Action.CONFIGURE)
    path = _path()
    if sys.platform != "darwin" and path.exists():
        _systemctl("disable", UNIT)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Conflict(
            f"{path} cannot be removed: {error.strerror}.",
            "Look at the permissions of its folder.",
        ) from error
    if sys.platform != "darwin":
        _systemctl("daemon-reload")
    return "Berth does not start by itself any more; what runs goes on."


def before_login() -> str:
    """How it starts with the machine, before anybody has logged in; "" where it does, or cannot."""
    if sys.platform == "darwin" or _lingers():
        return ""
    return "To have it start with the machine, before you log in: loginctl enable-linger"


def _enable(now: Autostart) -> None:
    """EngineError, and all as before, where systemd does not take it."""
    for words in (("daemon-reload",), ("enable", UNIT)):
        done = _systemctl(*words)
        if not done:
            continue
        with contextlib.suppress(OSError):
            if now.found:
                write_text(now.path, now.found)
            else:
                now.path.unlink(missing_ok=True)
        raise EngineError(
            f"This system starts nothing for its users: {done}",
            "Start Berth with ./setup.sh, or have your desktop start it.",
        )


def _systemctl(*words: str) -> str:
    """What it complains of; "" where it did it."""
    done = run(["systemctl", "--user", *words], seconds=COMMAND_SECONDS)
    said = " ".join((done.stderr or done.stdout).split())
    said = said.rstrip(".") or f"systemctl ended with {done.code}"
    return "" if done.is_good else f"{said}."


def _lingers() -> bool:
    named = os.environ.get("USER") or str(os.getuid())
    return (settings().system_root / "var/lib/systemd/linger" / named).exists()


def _path() -> Path:
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library/LaunchAgents" / f"{LABEL}.plist"
    folder = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    return Path(folder) / "systemd/user" / UNIT


def _port() -> int:
    found = dashboard.running()
    return found.port if found else USUAL_PORT


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "lib.server", "--port", str(port)]


def _variables() -> dict[str, str]:
    known = {name: value for name in CARRIED if (value := os.environ.get(name))}
    known = {name: value for name, value in known.items() if not _has_password(value)}
    return {**known, "BERTH_HOME": str(settings().home)}


def _has_password(value: str) -> bool:
    """An address with one stands in no file of ours: Berth does without the variable then."""
    with contextlib.suppress(ValueError):
        return "@" in urlsplit(value if "://" in value else f"//{value}").netloc
    return True


def _unit(port: int) -> str:
    return "\n".join(_unit_lines(port)) + "\n"


def _unit_lines(port: int) -> Iterator[str]:
    """Its end ends no model: `KillMode=process`."""
    require_visible(str(ROOT))
    yield "# Written by Berth, and removed by it: Settings, Start."
    yield "[Unit]"
    yield "Description=Berth, a control panel for language models"
    yield "StartLimitIntervalSec=300"
    yield "StartLimitBurst=3"
    yield ""
    yield "[Service]"
    yield "Type=exec"
    yield f"WorkingDirectory={str(ROOT).replace('%', '%%')}"
    yield from (assigned(name, value) for name, value in sorted(_variables().items()))
    yield f"ExecStart={' '.join(map(quoted, _command(port)))}"
    yield "KillMode=process"
    yield "Restart=on-failure"
    yield "RestartSec=5"
    yield ""
    yield "[Install]"
    yield "WantedBy=default.target"


def _agent(port: int) -> str:
    """Its end ends no model: `AbandonProcessGroup`."""
    said = {
        "Label": LABEL,
        "ProgramArguments": _command(port),
        "WorkingDirectory": str(ROOT),
        "EnvironmentVariables": _variables(),
        "RunAtLoad": True,
        "AbandonProcessGroup": True,
        "StandardErrorPath": str(settings().home / "berth.log"),
        "StandardOutPath": str(settings().home / "berth.log"),
    }
    return plistlib.dumps(said).decode()
