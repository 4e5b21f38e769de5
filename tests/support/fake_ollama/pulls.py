"""The downloads of the fake Ollama: shared, resumed, slow, stalled, damaged or cut on demand."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from tests.support.fake_ollama.registry import MODELS, Layer, pulled, refusal
from tests.support.fake_ollama.store import Store

TICK_SECONDS = 0.06  # between two lines of progress, as the real one does
PART_BYTES = 5_242_880

Line = dict[str, Any]
Lines = AsyncGenerator[Line, None]


@dataclass
class PullBehaviour:
    """How downloads go. Places are shares of a layer, 0 to 1; a negative one means never."""

    pull_seconds: float = 0.3  # for each large layer
    stall_at: float = -1.0  # no more bytes from here on, but lines as before
    cut_at: float = -1.0  # the stream ends here without a word
    retry_at: float = -1.0  # a part is fetched again here: `completed` falls once
    full_at: float = -1.0  # the disk is full here
    wrong_bytes: bool = False  # found at the end


@dataclass
class Download:
    """One layer on its way; it goes on while somebody watches, and keeps what came."""

    layer: Layer
    completed: float = 0.0
    watchers: int = 0
    moved_at: float = 0.0
    has_retried: bool = False

    @property
    def share(self) -> float:
        return self.completed / self.layer.size

    @contextlib.contextmanager
    def watched(self) -> Any:
        if not self.watchers:
            self.moved_at = time.monotonic()
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    def move(self, behaviour: PullBehaviour) -> None:
        """Let in what arrived since the last look."""
        now = time.monotonic()
        arrived = (now - self.moved_at) / max(behaviour.pull_seconds, 1e-6) * self.layer.size
        limit = self.layer.size if behaviour.stall_at < 0 else behaviour.stall_at * self.layer.size
        self.completed = max(self.completed, min(self.completed + arrived, limit))
        self.moved_at = now
        if 0 <= behaviour.retry_at <= self.share and not self.has_retried:
            self.has_retried = True
            self.completed = max(0.0, self.completed - PART_BYTES)

    def line(self) -> Line:
        """Its progress; like the real server's, without a number that is zero."""
        completed = min(int(self.completed), self.layer.size)
        return {
            "status": f"pulling {self.layer.digest[:12]}",
            "digest": f"sha256:{self.layer.digest}",
            "total": self.layer.size,
            **({"completed": completed} if completed else {}),
        }


@dataclass
class Pulls:
    """Every download of the server, by digest."""

    store: Store
    behaviour: PullBehaviour
    downloads: dict[str, Download] = field(default_factory=dict)

    async def lines(self, name: str) -> Lines:
        """What a pull of this name tells, up to its success, error or sudden end."""
        yield {"status": "pulling manifest"}
        if refused := refusal(name):
            yield {"error": f"pull model manifest: {refused}"}
            return
        for layer in MODELS[name]:
            async for line in self._layer(layer):
                yield line
                if "error" in line or line.get("status") == "cut":
                    return
        async for line in self._finish(name):
            yield line

    def install(self, name: str) -> None:
        """What stands on the disk after a pull."""
        for layer in MODELS[name]:
            self.downloads.pop(layer.digest, None)
            self.store.blobs.setdefault(f"sha256:{layer.digest}", layer.size)
        self.store.add(pulled(name))

    async def _layer(self, layer: Layer) -> Lines:
        if f"sha256:{layer.digest}" in self.store.blobs:
            yield Download(layer, completed=layer.size).line()
            return
        if layer.size < PART_BYTES:  # there before the first line about it
            return
        download = self.downloads.setdefault(layer.digest, Download(layer))
        with download.watched():
            while download.completed < layer.size:
                await asyncio.sleep(TICK_SECONDS)
                download.move(self.behaviour)
                if download.completed < layer.size:
                    yield download.line()
                    if trouble := self._trouble(download):
                        yield trouble
                        return

    def _trouble(self, download: Download) -> Line | None:
        do = self.behaviour
        if 0 <= do.cut_at <= download.share:
            return {"status": "cut"}
        if 0 <= do.full_at <= download.share:
            blob = f"/home/user/.ollama/models/blobs/sha256-{download.layer.digest}-partial-0"
            return {"error": f"write {blob}: no space left on device"}
        return None

    async def _finish(self, name: str) -> Lines:
        yield {"status": "verifying sha256 digest"}
        layers = MODELS[name]
        if self.behaviour.wrong_bytes:
            self.downloads.pop(layers[0].digest, None)
            want, got = f"sha256:{layers[0].digest}", f"sha256:{'94598893' * 8}"
            said = "digest mismatch, file must be downloaded again"
            yield {"error": f"{said}: want {want}, got {got}"}
            return
        self.install(name)
        yield {"status": "writing manifest"}
        yield {"status": "success"}
