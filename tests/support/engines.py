"""Makes a fake engine look like a running child of the built-in engine."""

import time
from pathlib import Path

import psutil

from lib.core.files import write_json, write_text
from lib.engines.base import StartOptions
from lib.engines.llamacpp.records import Record
from tests.support.fake_engine import Running

KEY = "key-of-the-engine"


def register(home: Path, fake: Running, name: str = "fake", token_bytes: int = 0) -> None:
    """Write what the built-in engine would have on disk for it, with a real pid and create time."""
    fake.behave(key=KEY, model=name)
    register_process(home, fake.process.pid, fake.url, name, token_bytes)


def register_process(home: Path, pid: int, url: str, name: str, token_bytes: int = 0) -> None:
    """The same for any process that answers at this address."""
    record = Record(
        pid=pid,
        created_at=psutil.Process(pid).create_time(),
        model=name,
        path=f"{name}.gguf",
        options=StartOptions(),
        port=int(url.rpartition(":")[2]),
        started_at=time.time(),
        size_bytes=1,
        can_chat=True,
        context=4096,
        token_bytes=token_bytes,
    )
    write_json(home / "engines" / f"{name}.json", record.model_dump(mode="json"))
    write_text(home / "engines" / f"{name}.key", KEY)
