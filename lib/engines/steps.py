"""What scripts have engines do, told step by step: load a model, or bring one into Ollama."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from lib.core import words
from lib.core.errors import BerthError, DoesNotFit, EngineError
from lib.core.files import tail
from lib.core.names import shown
from lib.core.settings import settings
from lib.engines import (
    engine_of,
    find_model,
    llamacpp,
    ollama,
)
from lib.engines.base import Health, Model, StartOptions, State
from lib.engines.llamacpp import adopt as llamacpp_adopt
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import fresh_links
from lib.engines.llamacpp.launch import load_of_file
from lib.engines.ollama.store import Listener, Progress
from lib.fit import gguf
from lib.fit.architecture import geometry
from lib.fit.fitting import Fitting
from lib.fit.memory import room_now
from lib.jobs.report import Report
from lib.processes import background as process

SERVE_SECONDS = 30.0
LOOK_SECONDS = 0.2
LONGEST_SHOWN = 300


def start(name: str, engine: str, options: StartOptions, report: Report) -> None:
    """Load the model; broken off, it leaves nothing running that did not run before.

    Nor, as when it fails, a link that a deployment has made to its file.
    """
    model = find_model(name, engine)
    context = f" with context {options.context:,}" if options.context else ""
    report.begin("start", f"Starting {name}{context}.")
    is_new = model.state not in (State.READY, State.STARTING)
    path = llamacpp_files.find(name).path if model.engine == llamacpp.NAME else ""
    began = time.monotonic()
    try:
        if is_new and path:
            _require_memory(model, options)
        engine_of(model).start(name, options)
    except (BerthError, KeyboardInterrupt) as error:
        if is_new:
            if isinstance(error, KeyboardInterrupt):
                engine_of(model).stop(name)
            tell_taken_back(fresh_links.take_back(path), report)
        raise
    report.end(f"Ready after {words.duration(time.monotonic() - began)}.")


def tell_taken_back(targets: Sequence[Path], report: Report) -> None:
    """Say that links are gone, and to which file they led."""
    if targets:
        others = f" and {words.count(len(targets) - 1, 'other file')}" if targets[1:] else ""
        report.say(
            f"The link to {shown(str(targets[0]), LONGEST_SHOWN)}{others} was taken back; "
            f"{'the files are' if others else 'the file is'} as before."
        )


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


def _require_memory(model: Model, options: StartOptions) -> None:
    """DoesNotFit where other programs have taken the memory since the plan was made."""
    file = llamacpp_files.find(model.name)
    subject = geometry(gguf.read_model(file.full_path))
    said = Fitting(subject, load_of_file(file, options), room_now()).verdict
    if not said.fits:
        fix = "Close other programs or stop another model, then try again."
        raise DoesNotFit(f"{model.name} does not fit now. {said.sentence}", fix)
