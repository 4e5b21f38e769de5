"""Ports that something else has: Ollama's, and the one where programs look for Berth."""

import contextlib
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from lib import dashboard
from lib.core.errors import BerthError, EngineDown
from lib.core.names import shown
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.ollama import api
from lib.engines.ollama.questions import Silent

NAME = "ports"
USUAL_PORT = 8501
CONNECT_SECONDS = 0.5
LOCAL = ("127.0.0.1", "localhost", "::1")


class Port(NamedTuple):
    """A port of this machine on which something answers that is not what belongs there."""

    number: int
    holder: str = ""  # name and pid, where the system tells


class Facts(NamedTuple):
    """What is in the way."""

    ollama: Port | None = None
    berth: Port | None = None
    runs_at: int = 0  # the port of the dashboard


def gathered() -> Facts:
    """Ollama is asked for its version; at Berth's usual port it is enough that anybody listens."""
    running = dashboard.running()
    runs_at = running.port if running else 0
    is_elsewhere = runs_at not in (0, USUAL_PORT) and not _is_other_dashboard()
    berth = _port(USUAL_PORT) if is_elsewhere and _listens(USUAL_PORT) else None
    return Facts(_of_ollama(), berth, runs_at)


def _is_other_dashboard() -> bool:
    return any(one.port == USUAL_PORT for one in dashboard.others())


def _of_ollama() -> Port | None:
    """Something that answers, and is no Ollama."""
    try:
        address = urlsplit(api.address())
        number = address.port or 80
        if address.hostname not in LOCAL or not _listens(number):
            return None
        api.ask("/api/version", api.Version)
    except (EngineDown, Silent):
        return None
    except (BerthError, ValueError):
        return _port(number) if not _is_ollama(number) else None
    return None


def _is_ollama(number: int) -> bool:
    """One that is busy may not answer, but it is called so."""
    return "ollama" in holder(number).lower()


def _listens(number: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex(("127.0.0.1", number)) == 0


def _port(number: int) -> Port:
    return Port(number, holder(number))


def holder(number: int) -> str:
    """Who listens there; "" where the system does not tell whose it is."""
    with contextlib.suppress(psutil.Error, OSError, RuntimeError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.pid and one.laddr[1:] == (number,):
                return f"{shown(psutil.Process(one.pid).name())}, process {one.pid}"
    return ""


def judged(facts: Facts) -> list[Finding]:
    """One finding per port."""
    found = []
    if facts.ollama:
        found.append(_ollama(facts.ollama))
    if facts.berth:
        found.append(_berth(facts.berth, facts.runs_at))
    return found


def _ollama(port: Port) -> Finding:
    return Finding(
        id=f"{NAME}:ollama",
        severity=Severity.WARNING,
        title=f"What answers at Ollama's port {port.number} is not Ollama{_by(port)}.",
        wanted="Ollama, or nothing; another address goes into OLLAMA_HOST.",
        why="Models of Ollama cannot be seen, and programs that ask for it talk to a stranger.",
        fix=Fix(label="Who listens there", command=_who(port)),
        facts=(str(port.number),),
    )


def _berth(port: Port, runs_at: int) -> Finding:
    return Finding(
        id=f"{NAME}:berth",
        severity=Severity.HINT,
        title=f"Port {port.number} is another program's{_by(port)}; Berth runs at {runs_at}.",
        wanted=f"Programs that are set to http://localhost:{runs_at}/v1.",
        why="What was set up for Berth's usual port reaches that program.",
        fix=Fix(label="Who listens there", command=_who(port)),
        facts=(str(runs_at),),
    )


def _by(port: Port) -> str:
    return f" ({port.holder})" if port.holder else ""


def _who(port: Port) -> str:
    return f"lsof -nP -iTCP:{port.number} -sTCP:LISTEN"


CHECK = Check(NAME, gathered, judged)
