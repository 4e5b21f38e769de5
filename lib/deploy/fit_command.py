"""`python -m lib.deploy fit REPO|FILE`: whether a model fits this machine, and how best."""

import argparse
import sys
from pathlib import Path

from lib.core import links
from lib.core.errors import BerthError, DoesNotFit
from lib.deploy import runnable
from lib.deploy.plan import plan
from lib.deploy.request import wished
from lib.deploy.table import fit
from lib.engines.room import room_now
from lib.fit.architecture import geometry
from lib.fit.gguf import read_model
from lib.fit.memory import Load, Verdict, verdict


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "model", help="what names a repository, or a .gguf file (any part of a divided one)"
    )
    parser.add_argument("--context", type=int, default=None, metavar="N")
    parser.add_argument("--slots", type=int, default=1, metavar="N")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(given: argparse.Namespace) -> int:
    """Print the verdict and return the exit code; 3 where the model does not fit."""
    try:
        said = _said_of_file(given) if _is_file(given.model) else _said_of_repository(given)
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0 if said.largest_context else DoesNotFit.exit_code


def _is_file(model: str) -> bool:
    """Is it a path? One that is not there must look like nothing else."""
    looks_so = model.startswith(("/", "./", "../")) or "/" not in model
    return links.is_file(Path(model)) or (looks_so and model.lower().endswith(".gguf"))


def _said_of_file(given: argparse.Namespace) -> Verdict:
    load = Load(context=given.context or Load().context, slots=given.slots)
    path = Path(given.model)
    header = read_model(path)
    if unable := runnable.objection(path.name, header):
        raise unable
    said = verdict(geometry(header), load, room_now())
    print(said.model_dump_json() if given.json else f"{said.word}. {said.sentence}")
    return said


def _said_of_repository(given: argparse.Namespace) -> Verdict:
    fields = {"model": given.model, "context": given.context, "slots": given.slots}
    found = plan(wished(**fields, engine="llamacpp"))
    wanted = {"repository", "revision", "quantization", "context", "verdict", "room", "rows"}
    print(found.model_dump_json(include=wanted) if given.json else fit(found))
    return found.verdict
