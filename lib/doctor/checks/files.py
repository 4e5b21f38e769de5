"""Models whose files are gone or damaged, and links that lead nowhere."""

from typing import NamedTuple

from lib.core import words
from lib.core.names import shown
from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.left_behind import dangling
from lib.engines.llamacpp import files, records
from lib.engines.llamacpp.files import ModelFile

NAME = "files"


class Facts(NamedTuple):
    """What is not whole among the models."""

    damaged: tuple[ModelFile, ...] = ()
    gone: tuple[str, ...] = ()  # models that run although their file is no more
    dangling: tuple[str, ...] = ()  # links, by their path below the models


def gathered() -> Facts:
    """By the headers, which are remembered; no file is read through.

    Of a disk that is not connected model_folders.py tells.
    """
    known, gone = files.all_files(), settings().gone_roots
    running = [record for record in records.read_all() if record.is_alive]
    names = {file.name for file in known}
    return Facts(
        tuple(file for file in known if file.problem and file.folder not in gone),
        tuple(record.model for record in running if record.model not in names),
        tuple(dangling()),
    )


def judged(facts: Facts) -> list[Finding]:
    """One finding per model or link."""
    return [
        *map(_damaged, facts.damaged),
        *map(_gone, facts.gone),
        *map(_dangling, facts.dangling),
    ]


def _damaged(file: ModelFile) -> Finding:
    size = words.disk(file.size_bytes)
    return Finding(
        id=f"{NAME}:damaged:{file.name}",
        severity=Severity.WARNING,
        title=f"The file of {file.name} cannot be used. {file.problem}",
        wanted=file.fix or "A whole file.",
        why=f"It takes {size} and will not load.",
        fix=Fix(
            label=f"Remove (frees {size})" if not file.stays_at else "Remove the link",
            action="remove_damaged",
            subject=file.name,
            asks=f"The file of {file.name} ({size}) is deleted. Deploy it again to have it whole.",
        ),
        facts=(file.problem, str(file.size_bytes)),
    )


def _gone(model: str) -> Finding:
    return Finding(
        id=f"{NAME}:gone:{model}",
        severity=Severity.WARNING,
        title=f"{model} runs, but its file is gone.",
        wanted="Its file, or no model.",
        why="It works until it is stopped, and cannot be started again.",
        fix=Fix(label="Stop it", action="stop_model", subject=model),
        facts=(model,),
    )


def _dangling(link: str) -> Finding:
    return Finding(
        id=f"{NAME}:link:{link}",
        severity=Severity.WARNING,
        title=f"The link {shown(link)} among the models leads nowhere.",
        wanted="A file where it points, or no link.",
        why="Its model is not shown anywhere, as if it had never been there.",
        fix=Fix(label="Remove the link", action="remove_link", subject=link),
        facts=(link,),
    )


CHECK = Check(NAME, gathered, judged)
