"""What the heavy layer needs and keeps between runs: real programs in a cache folder.

`BERTH_TEST_CACHE` names the folder; without it, ~/.cache/berth-tests.
"""

import os
import shutil
from pathlib import Path

from lib.core.locks import locked
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots import installation, programs
from lib.slots.change import Change
from lib.slots.installation import LITELLM
from lib.slots.journal import Journal

NEEDED = {
    "nginx": "nginx-light",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
}


def cache() -> Path:
    """The folder that outlives the tests."""
    return Path(os.environ.get("BERTH_TEST_CACHE") or "~/.cache/berth-tests").expanduser()


def require_programs() -> None:
    """AssertionError with what installs the programs of the system that are missing."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    assert not missing, f"Run: apt-get install -y {' '.join(missing)}"


def litellm_environment() -> Path:
    """A real LiteLLM, installed by Berth's own steps where it is not there yet."""
    places = Places(root=cache() / "litellm/root")
    places.root.mkdir(parents=True, exist_ok=True)
    with locked(places.root / "lock"):
        program = programs.litellm(places)
        report = Report()
        change = Change(Journal(places.root / "journal"), report)
        installation.install(LITELLM, program, places, change, report)
    return places.root / program.folder.relative_to("/")
