"""What scripts have Ollama do, told step by step."""

import os
import shutil
import time
from pathlib import Path

from lib.core.errors import EngineError
from lib.core.files import tail
from lib.core.names import shown
from lib.core.settings import settings
from lib.engines import (
    find_model,
    llamacpp,
    ollama,
)
from lib.engines.base import Health, State
from lib.engines.llamacpp import adopt as llamacpp_adopt
from lib.engines.ollama.store import Listener, Progress
from lib.jobs.report import Report
from lib.processes import background as process

SERVE_SECONDS = 30.0
LOOK_SECONDS = 0.2
LONGEST_SHOWN = 300


def serve(report: Report) -> None:
    """Ollama up and new enough: it is started where it does not run. EngineError otherwise."""
    health = ollama.ENGINE.health()
    if not health.up and not health.version:
        report.say("Starting Ollama.")
        health = _served()
    if not health.up:
        raise EngineError(health.problem, health.fix)
    report.say(f"Ollama {health.version} runs.")


def _served() -> Health:
    """Its health after starting it; it goes on when this process ends."""
    program = shutil.which("ollama")
    command = [program, "serve"] if program else ["/usr/bin/open", "-a", "Ollama"]
    folder = settings().engines
    log = folder / "ollama.log"
    child = process.start(command, os.environ, log, folder / "ollama.exit")
    give_up_at = time.monotonic() + SERVE_SECONDS
    while not (health := ollama.ENGINE.health()).up and time.monotonic() < give_up_at:
        if program and not process.is_alive(child):
            last = tail(log).strip().rpartition("\n")[2]
            raise EngineError(f"Ollama ended at once: {shown(last, 200)}.", f"See {log}.")
        time.sleep(LOOK_SECONDS)
    return health


def pull(name: str, report: Report, sha256: str = "") -> None:
    """Have Ollama fetch a model from the Hub or from its library.

    EngineError, and nothing kept, where the file it fetched has another checksum than this one.
    """
    report.begin("download", f"Ollama fetches {name}.")
    ollama.ENGINE.pull(name, _telling(report))
    fetched = ollama.ENGINE.checksums(name)
    if sha256 and fetched and sha256 not in fetched:
        ollama.ENGINE.remove(name)
        raise EngineError(
            f"Ollama fetched another file for {name} than the one that was chosen; it was removed.",
            "Use the built-in engine for this file (--engine llamacpp).",
        )
    report.end(f"Ollama has {name}.")


def create(name: str, file: Path, report: Report, *, moves: bool = False) -> None:
    """Give Ollama a file of this machine; it keeps a copy of its own.

    Where it `moves`, the file is one that was fetched for this, and goes when the copy is there.
    """
    report.begin("download", f"Ollama takes over {file.name}.")
    ollama.ENGINE.create_from_file(file, name, _telling(report))
    if moves:
        _discard(file)
    report.end(f"Ollama has {name}.")


def _discard(file: Path) -> None:
    """Remove a file of ours, unless the built-in engine runs it."""
    name = llamacpp_adopt.adopt(file).name
    if find_model(name, llamacpp.NAME).state == State.STOPPED:
        llamacpp.ENGINE.remove(name)


def _telling(report: Report) -> Listener:
    def tell(now: Progress) -> None:
        report.progress(now.done_bytes, now.total_bytes, now.note)

    return tell
