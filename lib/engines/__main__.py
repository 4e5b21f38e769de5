"""The running models, for a terminal: `python -m lib.engines [stop NAME… | stop --all]`."""

import argparse
import shlex
import sys

from lib import words
from lib.engines import all_models, engine_of, find_model
from lib.engines.base import Model, State
from lib.errors import BerthError
from lib.settings import ROOT


def main(arguments: list[str] | None = None) -> int:
    """List what runs, or stop some of it."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "stop":
            stop(running() if given.all else [find_model(name) for name in given.names])
        else:
            print(listing(running()))
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def running() -> list[Model]:
    """Every model of every engine that is loaded, or about to be."""
    return [m for m in all_models() if m.state not in (State.STOPPED, State.FAILED)]


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


def _command() -> str:
    """What a person types in any folder to run this module."""
    return f"cd {shlex.quote(str(ROOT))} && {shlex.quote(sys.executable)} -m lib.engines"


def _line(model: Model) -> str:
    memory = words.memory(model.memory_bytes) if model.memory_bytes else ""
    return "  ".join(part for part in (model.name, model.state, memory, model.url) if part)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.engines", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    stop = commands.add_parser("stop", help="stop these models, or all")
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("names", nargs="*", metavar="NAME", default=[])
    which.add_argument("--all", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
