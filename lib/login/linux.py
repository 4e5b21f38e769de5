"""The texts for Linux: a unit of systemd's user manager, and entries of the desktop.

Desktop entries as the Desktop Entry Specification 1.5 of freedesktop.org says, those that begin at
login as its Desktop Application Autostart Specification does.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from lib.core.unit_words import assigned, quoted, require_visible
from lib.login.started import Started

WRITTEN = "# Written by Berth, and removed by it: Settings, Start and quit."
ABOUT = "A control panel for your own language models"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_VARIABLE = re.compile(r"[A-Z_]+=")
_SWITCHED_OFF = re.compile(r"^(Hidden=true|X-GNOME-Autostart-enabled=false)\s*$", re.MULTILINE)


def unit(start: Started) -> str:
    """Its end ends no model: `KillMode=process`. The network may come later than the login."""
    return _lines(_unit(start))


def entry(start: Started) -> str:
    """Something to click: not shown any more where Berth's folder is gone."""
    return _lines(_entry(start, start.command("open")))


def at_login(start: Started) -> str:
    """The same without a browser, for a desktop to start where there is no systemd."""
    more = ["X-GNOME-Autostart-enabled=true"]
    return _lines(_entry(start, start.command("open", "--no-browser"), more))


def is_switched_off(text: str) -> bool:
    """Has somebody told the desktop not to start this entry?"""
    return bool(_SWITCHED_OFF.search(text))


def essence_of_unit(text: str) -> list[str]:
    """What is started, and on which home; the port and other variables may be of another day."""
    told = ("WorkingDirectory=", 'Environment="BERTH_HOME=', "ExecStart=")
    lines = [line for line in text.splitlines() if line.startswith(told)]
    return sorted(line.partition(" --port ")[0] for line in lines)


def essence_of_entry(text: str) -> list[str]:
    """The same of a desktop entry."""
    found = next((line[5:] for line in text.splitlines() if line.startswith("Exec=")), "")
    words = _QUOTED.findall(found.replace("\\\\", "\\"))
    kept = [word for word in words if not _VARIABLE.match(word) or word.startswith("BERTH_HOME=")]
    return kept[: kept.index("--port")] if "--port" in kept else kept


def _unit(start: Started) -> Iterator[str]:
    yield WRITTEN
    yield "[Unit]"
    yield "Description=Berth, a control panel for language models"
    yield "StartLimitIntervalSec=600"
    yield "StartLimitBurst=5"
    yield ""
    yield "[Service]"
    yield "Type=exec"
    yield f"WorkingDirectory={str(start.root).replace('%', '%%')}"
    yield from (assigned(name, value) for name, value in sorted(start.variables.items()))
    yield f"ExecStart={' '.join(map(quoted, start.command('serve')))}"
    yield "KillMode=process"
    yield "Restart=on-failure"
    yield "RestartSec=15"
    yield ""
    yield "[Install]"
    yield "WantedBy=default.target"


def _entry(start: Started, command: Sequence[str], more: Sequence[str] = ()) -> Iterator[str]:
    yield WRITTEN
    yield "[Desktop Entry]"
    yield "Version=1.0"
    yield "Type=Application"
    yield "Name=Berth"
    yield "GenericName=Language models"
    yield f"Comment={ABOUT}"
    yield f"TryExec={_string(str(start.root / 'setup.sh'))}"
    named = [f"{name}={value}" for name, value in sorted(start.variables.items())]
    yield f"Exec={' '.join(map(_argument, ['env', *named, *command]))}"
    yield f"Path={_string(str(start.root))}"
    yield f"Icon={_string(str(start.root / 'docs' / 'mark.svg'))}"
    yield "Terminal=false"
    yield "StartupNotify=false"
    yield "Categories=Utility;"
    yield from more


def _argument(word: str) -> str:
    """One argument of `Exec=`: quoted, no field code in it, then as a string of the file."""
    require_visible(word)
    inner = re.sub(r'(["`$\\])', r"\\\1", word.replace("%", "%%"))
    return _string(f'"{inner}"')


def _string(text: str) -> str:
    require_visible(text)
    return text.replace("\\", "\\\\")


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
