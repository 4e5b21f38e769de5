"""A file to download from the test's Hub, and what a download leaves behind and tells."""

import hashlib
import json
import random
from pathlib import Path

from lib.download.one_file import Patience, Source
from tests.support.fake_hub import FakeHub, Manner

DATA = random.Random(1).randbytes(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HASTE = Patience(connect_seconds=1.0, silence_seconds=0.3, retries=2, pause_seconds=0.01)


class Seen(list[tuple[int, int]]):
    """What a download told of its progress."""

    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


def offer(hub: FakeHub, manner: Manner | None = None) -> Source:
    """Have the Hub serve the file like this."""
    return Source(hub.add("org/name", "main", "model.gguf", DATA, manner), len(DATA), SHA256)


def begun(target: Path, data: bytes, identity: dict[str, object]) -> None:
    """What an earlier download has left."""
    target.parent.mkdir(parents=True)
    target.with_name("model.gguf.part").write_bytes(data)
    target.with_name("model.gguf.part.json").write_text(json.dumps(identity))


def files(target: Path) -> list[str]:
    """The names of all files where it belongs."""
    return sorted(path.name for path in target.parent.iterdir())


def ranges(hub: FakeHub) -> list[str]:
    """Which bytes were asked for, in order; "" where all were."""
    return [request.headers.get("Range", "") for request in hub.requests]
