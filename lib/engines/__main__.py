"""The models of every engine, for a terminal and for scripts; without a command, what runs."""

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

from lib.core import patience, words
from lib.core.errors import BerthError
from lib.core.settings import ROOT
from lib.engines import (
    engine_of,
    find_model,
    running_models,
    steps,
)
from lib.engines.base import Model
from lib.engines.llamacpp import adopt as llamacpp_adopt
from lib.jobs import phase
from lib.processes import background as process


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        with patience.of_a_command():
            return int(given.run(given) or 0)
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def running() -> list[Model]:
    """Every model of every engine that is loaded here, or about to be."""
    return running_models()


def listing(models: list[Model]) -> str:
    """One line for each model, then how to stop them."""
    if not models:
        return "No model is running."
    lines = [f"  {line}" for line in map(_line, models)]
    count = words.count(len(models), "model runs", "models run")
    return "\n".join([f"{count}:", *lines, f"To stop: {_command()} stop --all"])


def stop(models: list[Model]) -> None:
    """Stop each and say so."""
    for model in models:
        engine_of(model).stop(model.name)
        print(f"{model.name} has stopped.")


def _list(_given: argparse.Namespace) -> None:
    print(listing(running()))


def _stop(given: argparse.Namespace) -> None:
    stop(running() if given.all else [find_model(name) for name in given.names])


def _adopt(given: argparse.Namespace) -> None:
    owner = process.known(given.owner) if given.owner else None
    print(llamacpp_adopt.adopt(given.file, owner).name)


def _serve(_given: argparse.Namespace) -> int:
    return phase.run(steps.serve)


def _pull(given: argparse.Namespace) -> int:
    return phase.run(partial(steps.pull, given.name, sha256=given.sha256))


def _create(given: argparse.Namespace) -> int:
    return phase.run(partial(steps.create, given.name, given.file, moves=given.move))


def _command() -> str:
    """What a person types in any folder to run this module."""
    return f"cd {shlex.quote(str(ROOT))} && {shlex.quote(sys.executable)} -m lib.engines"


def _line(model: Model) -> str:
    memory = words.memory(model.memory_bytes) if model.memory_bytes else ""
    return "  ".join(part for part in (model.name, model.state, memory, model.url) if part)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.engines", description=__doc__)
    parser.set_defaults(run=_list)
    commands = parser.add_subparsers()
    one = commands.add_parser("stop", help="stop these models, or all")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("names", nargs="*", metavar="NAME", default=[])
    which.add_argument("--all", action="store_true")
    one.set_defaults(run=_stop)
    one = commands.add_parser("adopt", help="the built-in engine's name for a GGUF file")
    one.add_argument("file", type=Path)
    one.add_argument("--for", dest="owner", type=int, default=0, metavar="PID")
    one.set_defaults(run=_adopt)
    commands.add_parser("serve", help="start Ollama if it does not run").set_defaults(run=_serve)
    one = commands.add_parser("pull", help="have Ollama fetch a model")
    one.add_argument("name")
    one.add_argument("--sha256", default="", help="of the only file that will do")
    one.set_defaults(run=_pull)
    one = commands.add_parser("create", help="make a model of Ollama's from a GGUF file")
    one.add_argument("name")
    one.add_argument("file", type=Path)
    one.add_argument("--move", action="store_true", help="remove the file, which is Berth's own")
    one.set_defaults(run=_create)
    return parser


if __name__ == "__main__":
    sys.exit(main())
