"""Loading a model for a script, told step by step."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from lib.core import words
from lib.core.errors import BerthError
from lib.core.names import shown
from lib.engines import engine_of, find_model, llamacpp, variants
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import fresh_links
from lib.engines.llamacpp.launch import context_of
from lib.fleet import ledger, removals, tries
from lib.jobs.report import Report

LONGEST_SHOWN = 300


def start(name: str, engine: str, options: StartOptions, report: Report) -> None:
    """Load the model, from now on with these options; NoRoom where memory is short.

    Broken off, it leaves nothing running that did not run before, nor, as when it fails, a link
    that a deployment has made to its file.
    """
    model = find_model(name, engine)
    _wanted_again(model)
    context = f" with context {options.context:,}" if options.context else ""
    report.begin("start", f"Starting {name}{context}.")
    options, began = _as_usual(model, options), time.monotonic()
    try:
        with ledger.admitted(model, options):
            engine_of(model).start(name, options)
    except (BerthError, KeyboardInterrupt) as error:
        if model.state not in (State.READY, State.STARTING):
            _take_back(model, report, stops=isinstance(error, KeyboardInterrupt))
        raise
    _keep(model, options)
    report.end(f"Ready after {words.duration(time.monotonic() - began)}.")


def _wanted_again(model: Model) -> None:
    """By whoever deploys it: it is not removed, and how often it ended before counts no more."""
    removals.take_back(model)
    if model.engine == llamacpp.NAME:
        tries.forget(model.name)


def _as_usual(model: Model, options: StartOptions) -> StartOptions:
    """Without a context that is what Berth would choose: then these are the computed ones."""
    usual = context_of(None, model.context_trained, model.task)
    is_chosen = model.engine != llamacpp.NAME or options.context != usual
    return options if is_chosen else options.model_copy(update={"context": None})


def _take_back(model: Model, report: Report, *, stops: bool) -> None:
    if stops:
        engine_of(model).stop(model.name)
    if model.engine == llamacpp.NAME:
        tell_taken_back(fresh_links.take_back(llamacpp_files.find(model.name).path), report)


def tell_taken_back(targets: Sequence[Path], report: Report) -> None:
    """Say that links are gone, and to which file they led."""
    if targets:
        others = f" and {words.count(len(targets) - 1, 'other file')}" if targets[1:] else ""
        report.say(
            f"The link to {shown(str(targets[0]), LONGEST_SHOWN)}{others} was taken back; "
            f"{'the files are' if others else 'the file is'} as before."
        )


def _keep(model: Model, options: StartOptions) -> None:
    """What was chosen for a deployment holds for later starts as well, where it is not as usual.

    Ollama keeps that itself.
    """
    if model.engine != llamacpp.NAME:
        return
    with contextlib.suppress(BerthError):  # it runs, whatever the disk says to that
        if options == StartOptions():
            variants.choose(model.key, variants.COMPUTED)
        else:
            variants.save(model.key, variants.AS_DEPLOYED, options)
