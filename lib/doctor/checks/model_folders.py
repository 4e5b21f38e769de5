"""Folders of models on a disk that is not connected, and models that wait to be moved."""

import shlex
from pathlib import Path
from typing import NamedTuple

from lib.core import model_place, words
from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import files
from lib.fleet import model_folder
from lib.jobs.jobs import JobState

NAME = "model_folders"


class Facts(NamedTuple):
    """The folders as they are."""

    gone: tuple[tuple[str, int], ...] = ()  # and how many models lie there
    damaged: str = ""  # the file that tells where the models are, where it cannot be read
    unfinished: str = ""  # the folder that a move was broken off in
    why: str = ""


def gathered() -> Facts:
    """Of a move that runs nothing is told."""
    home = settings().home
    place = model_place.place(home)
    if not place.is_readable:
        return Facts(damaged=str(home / model_place.NAME))
    gone = tuple((str(root), _models_in(root)) for root in settings().gone_roots)
    last = model_folder.last_move() if place.before and not gone else None
    is_over = last is not None and not last.is_active and last.state != JobState.SUCCEEDED
    if last is None or not is_over:
        return Facts(gone)
    return Facts(gone, unfinished=str(place.before), why=last.last_line())


def _models_in(root: Path) -> int:
    return sum(file.folder == root for file in files.all_files())


def judged(facts: Facts) -> list[Finding]:
    """One per folder."""
    found = [_gone(path, models) for path, models in facts.gone]
    if facts.damaged:
        found.append(_damaged(facts.damaged))
    return [*found, _unfinished(facts)] if facts.unfinished else found


def _gone(path: str, models: int) -> Finding:
    held = f", with {words.count(models, 'model')}," if models else ""
    return Finding(
        id=f"{NAME}:{path}",
        severity=Severity.URGENT,
        title=f"The folder with your models, {path}{held or ','} is not there. Connect its disk.",
        wanted="The disk that was there when the folder was chosen, mounted at the same place.",
        why="Models there cannot be started. Nothing of them was removed, nothing is fetched anew.",
        fix=Fix(label="Which disks are connected", command=f"df -h; ls -ld {shlex.quote(path)}"),
    )


def _damaged(path: str) -> Finding:
    return Finding(
        id=f"{NAME}:damaged",
        severity=Severity.URGENT,
        title=f"{path} cannot be read, so nobody knows in which folder the models are.",
        wanted="The folder of the models, as it was chosen on Settings.",
        why="Nothing is downloaded until it is known.",
        fix=Fix(label="Choose the folder again", page="Settings"),
    )


def _unfinished(facts: Facts) -> Finding:
    return Finding(
        id=f"{NAME}:unfinished",
        severity=Severity.WARNING,
        title=f"Models were to be moved, and some are still in {facts.unfinished}. {facts.why}",
        wanted="All in one folder, or left where they are on purpose (Ignore).",
        why="They can be used where they are; their disk stays as full as it was.",
        fix=Fix(label="Go on with it", page="Settings"),
        facts=(facts.unfinished,),
    )


CHECK = Check(NAME, gathered, judged)
