"""Models of this machine, for a terminal and for scripts."""

import argparse
import sys
from functools import partial

from lib.core.access import own_process
from lib.core.errors import BerthError
from lib.engines.base import StartOptions
from lib.engines.llamacpp import fresh_links
from lib.fleet import steps
from lib.jobs import phase
from lib.jobs.report import Report
from lib.processes import background as process


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for and return the exit code; 3 where there is no room."""
    own_process()
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given) or 0)
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _start(given: argparse.Namespace) -> int:
    options = StartOptions(context=given.context, slots=given.slots, kv_type=given.kv_type)
    return phase.run(partial(steps.start, given.name, given.engine, options))


def _give_back(given: argparse.Namespace) -> None:
    steps.tell_taken_back(fresh_links.take_back_for(process.known(given.owner)), Report())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.fleet", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_start(commands.add_parser("start", help="load a model, from now on with these options"))
    one = commands.add_parser("give-back", help="remove the links made for a process")
    one.add_argument("--for", dest="owner", type=int, required=True, metavar="PID")
    one.set_defaults(run=_give_back)
    return parser


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--engine", default="", help="where two have a model of this name")
    parser.add_argument("--context", type=int, default=None, metavar="N", help="tokens per slot")
    parser.add_argument("--slots", type=int, default=1, metavar="N")
    parser.add_argument("--kv-type", default="f16", choices=["f16", "q8_0", "q4_0"])
    parser.set_defaults(run=_start)


if __name__ == "__main__":
    sys.exit(main())
