"""Starts the server: every field of Behaviour is an option."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import fields

import tests.support.fake_ollama as package
from tests.support.fake_ollama.server import serve
from tests.support.fake_ollama.world import Behaviour


def parsed(arguments: Sequence[str]) -> tuple[int, Behaviour]:
    """The port and the behaviour that a command line asks for."""
    parser = argparse.ArgumentParser(description=package.__doc__)
    parser.add_argument("--port", type=int, default=0)
    for option in fields(Behaviour):
        flag, kind = f"--{option.name.replace('_', '-')}", type(option.default)
        if kind is bool:
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=kind, default=option.default)
    given = vars(parser.parse_args(arguments))
    return given.pop("port"), Behaviour(**given)


if __name__ == "__main__":
    asyncio.run(serve(*parsed(sys.argv[1:])))
