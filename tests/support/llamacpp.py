"""The built-in engine's real children, as the product shows them and as the machine does."""

import subprocess
import sys

import psutil

from lib.core.settings import ROOT, settings
from lib.engines.base import ChatOptions, Message, Model, StartOptions
from lib.engines.llamacpp import ENGINE, records
from lib.engines.llamacpp.records import Record
from lib.processes import keeper

COUNT = [Message(role="user", content="Count from one to five hundred, one number a line.")]
EXACT = ChatOptions(temperature=0)
SMALL = StartOptions(context=512, threads=1)


def shown(name: str) -> Model:
    """The model as the engine lists it."""
    return next(model for model in ENGINE.models() if model.name == name)


def child_of(name: str) -> Record:
    """What is known of the model's child."""
    record = records.read(name)
    assert record is not None
    return record


def children() -> list[int]:
    """Every running child of this test's BERTH_HOME, by its command line."""
    home = str(settings().home)
    found = []
    for each in psutil.process_iter(["cmdline"]):
        line = each.info["cmdline"] or []
        if any(home in part for part in line) and keeper.__file__ not in line:
            found.append(each.pid)
    return found


def run_elsewhere(code: str) -> str:
    """What this code prints in a process of its own, which then ends."""
    imports = "from lib.engines.llamacpp import ENGINE\nfrom lib.engines.base import *\n"
    done = subprocess.run(
        [sys.executable, "-c", imports + code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    return done.stdout
