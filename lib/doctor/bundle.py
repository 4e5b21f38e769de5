"""The support bundle: what somebody needs to know who is asked for help, without secrets.

Every text goes through clean.py on its way in. No conversation, no reply, no model file is in it.
"""

import importlib.metadata
import io
import os
import platform
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from lib import VERSION
from lib.core import preferences
from lib.core.access import Action, require
from lib.core.files import tail
from lib.core.settings import settings
from lib.doctor import report
from lib.doctor.clean import Cleaner, environment
from lib.doctor.registry import Look
from lib.engines import all_models, present_engines
from lib.engines.llamacpp import records
from lib.hub.token import token_origin
from lib.jobs import jobs
from lib.machine.cards import cards
from lib.machine.sampler import SAMPLER, machine

JOBS, LOGS = 10, 20
LOG_BYTES = 65_536
CARDS_SECONDS = 2.0


class Entry(NamedTuple):
    """A file of the bundle."""

    name: str
    about: str  # for people
    text: str

    @property
    def bytes(self) -> int:
        """Before it is packed."""
        return len(self.text.encode("utf-8", "replace"))


def contents(look: Look) -> list[Entry]:
    """All files, redacted. A part that cannot be read says so in its place."""
    require(Action.CONFIGURE)
    cleaner = Cleaner()
    facts = [Entry(*row[:2], _told(row[2], cleaner)) for row in _facts(look)]
    found = [*facts, *_logs(cleaner)]
    return [_index(found), *found]


def packed(entries: list[Entry]) -> bytes:
    """The ZIP file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for entry in entries:
            file.writestr(f"berth-support/{entry.name}", entry.text.encode("utf-8", "replace"))
    return data.getvalue()


def _facts(look: Look) -> list[tuple[str, str, Callable[[], Any]]]:
    return [
        ("findings.txt", "what the doctor found", lambda: report.text(look)),
        ("versions.json", "versions of Berth, Python and packages", _versions),
        ("machine.json", "processor, memory, disks and graphics cards", _machine),
        ("settings.json", "settings and variables, without secrets", _settings),
        ("engines.json", "engines and models, and how they stand", _engines),
        ("jobs.json", f"the last {JOBS} deployments", _jobs),
    ]


def _told(gathered: Callable[[], Any], cleaner: Cleaner) -> str:
    try:
        value = gathered()
    except Exception as error:  # a bundle is wanted just where something is broken
        return cleaner.text(f"It could not be read: {type(error).__name__}: {error}\n")
    return cleaner.text(value) if isinstance(value, str) else cleaner.json(value)


def _index(entries: list[Entry]) -> Entry:
    lines = [f"{entry.name}: {entry.about}" for entry in entries]
    head = (
        "A support bundle of Berth. Tokens, keys, access codes, cookies, the names of the account "
        "and of the machine were taken out. There is no conversation in it."
    )
    return Entry("README.txt", "this list", "\n".join([head, "", *lines, ""]))


def _versions() -> dict[str, Any]:
    packages = {one.name: one.version for one in importlib.metadata.distributions()}
    return {
        "berth": VERSION,
        "python": sys.version,
        "system": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def _machine() -> dict[str, Any]:
    disks = {str(path): psutil.disk_usage(str(path))._asdict() for path in _folders()}
    return {
        "machine": machine().model_dump(),
        "now": SAMPLER.latest().model_dump(),
        "load": psutil.getloadavg(),
        "memory": psutil.virtual_memory()._asdict(),
        "swap": psutil.swap_memory()._asdict(),
        "disks": disks,
        "cards": cards(CARDS_SECONDS).model_dump(),
    }


def _folders() -> list[Path]:
    return [path for path in (settings().home, *settings().model_roots) if path.exists()]


def _settings() -> dict[str, Any]:
    return {
        "preferences": preferences.preferences().model_dump(),
        "problem": preferences.problem(),
        "folders of models": [str(root) for root in settings().model_roots],
        "hub login": str(token_origin()),  # where it is from, not what it is
        "environment": environment(os.environ),
    }


def _engines() -> dict[str, Any]:
    return {
        "engines": {name: health.model_dump() for name, health in present_engines().items()},
        "models": [model.model_dump(mode="json") for model in all_models()],
        "records": [record.model_dump(mode="json") for record in records.read_all()],
    }


def _jobs() -> list[dict[str, Any]]:
    return [job.model_dump(mode="json") for job in jobs.recent(JOBS)]


def _logs(cleaner: Cleaner) -> Iterator[Entry]:
    """The ends of the newest logs."""
    for job in jobs.recent(JOBS):
        log = tail(job.folder / "log", LOG_BYTES)
        yield Entry(f"jobs/{job.id}.log", "the end of its log", cleaner.text(log))
    home = settings().engines
    files = [path for ending in ("log", "failed") for path in home.glob(f"*.{ending}")]
    newest = sorted(files, key=_changed, reverse=True)[:LOGS]
    for number, path in enumerate(newest):
        name = f"engines/{number:02}-{cleaner.text(path.name)}"
        yield Entry(name, "what an engine printed last", cleaner.text(tail(path, LOG_BYTES)))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
