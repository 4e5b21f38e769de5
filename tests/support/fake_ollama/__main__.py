"""Starts the server: every field of Behaviour is an option."""

import asyncio
import sys
import tempfile
from pathlib import Path

import tests.support.fake_ollama as package
from tests.support.fake_ollama.server import Door
from tests.support.fake_ollama.store import Store
from tests.support.fake_ollama.world import Behaviour, World
from tests.support.fake_server import parsed, serve

if __name__ == "__main__":
    port, behaviour = parsed(sys.argv[1:], Behaviour, package.__doc__)
    with tempfile.TemporaryDirectory() as folder:
        world = World(behaviour, Store(Path(folder)))
        asyncio.run(serve(Door(world).application(), port))
