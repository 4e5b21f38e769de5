"""A running Berth with models in it: the real starter, or a fake engine that looks like one."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from lib.core.files import write_json, write_text
from lib.deploy.starter import STARTER
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp.records import Record
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny


def lay_starter(home: Path, starter_file: Path) -> None:
    """The starter model where a download would have put it; the shared copy stays untouched."""
    place = home / "models" / STARTER.path.relative_to(STARTER.path.parents[3])
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(starter_file, place)
    except OSError:  # another disk
        place.symlink_to(starter_file)


@contextlib.contextmanager
def running_berth(home: Path, world: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The server, and at the end neither it nor any engine it started."""
    with running_server(home, world) as server:
        try:
            yield server
        finally:
            stop_engines()


def stop_engines() -> None:
    """End every engine of this test's BERTH_HOME."""
    for model in ENGINE.models():
        if model.state in (State.READY, State.STARTING):
            ENGINE.stop(model.name)


def lay_fake(home: Path, fake: Running, name: str = "fake", *, can_see: bool = False) -> None:
    """Make a fake engine look like a child of the built-in one that runs the model `name`.

    One that sees has to be told so itself, too: `fake.behave(can_see=True)`.
    """
    write_tiny(home / "models" / f"{name}.gguf")
    process = psutil.Process(fake.process.pid)
    record = Record(
        pid=process.pid,
        created_at=process.create_time(),
        model=name,
        path=f"{name}.gguf",
        options=StartOptions(),
        port=int(fake.url.rpartition(":")[2]),
        started_at=process.create_time(),
        size_bytes=1_000_000,
        can_chat=True,
        can_see=can_see,
        context=4096,
    )
    write_json(home / "engines" / f"{name}.json", record.model_dump(mode="json"))
    write_text(home / "engines" / f"{name}.key", "a key\n")
