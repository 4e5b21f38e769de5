"""A Berth whose built-in engine loads nothing before a test lets it, and what clients ask there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.own_llama_server import write_program
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

HELLO: dict[str, Any] = {
    "model": "sleepy",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 4,
}


class SlowStart:
    """The server, and the file that lets its loads go on."""

    def __init__(self, home: Path) -> None:
        self.home, self.gate = home, home.parent / "gate"
        self.server: Server

    def hold(self) -> None:
        """The next load waits."""
        self.gate.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Loads come to their ends."""
        self.gate.touch()

    def is_loading(self, model: str = "sleepy") -> bool:
        """Has its child begun?"""
        return self.state(model) == "loading"

    def state(self, model: str = "sleepy") -> str:
        """As /v1/models tells it."""
        answer = httpx.get(f"{self.server.url}/v1/models/{model}", timeout=10)
        return str(answer.json().get("state", ""))

    def stop(self, model: str = "sleepy") -> None:
        """As the owner does."""
        httpx.post(f"{self.server.url}/api/models/{model}/stop", json={}, timeout=60)
        until(lambda: self.state(model) == "stopped", "a stop")


@contextmanager
def slow_start(folder: Path, settings: str = "") -> Iterator[SlowStart]:
    """With two models, `sleepy` and `drowsy`, that do not run."""
    made = SlowStart(folder / "berth")
    for name in ("sleepy", "drowsy"):
        write_tiny(made.home / "models" / f"{name}.gguf")
    (made.home / "settings.toml").write_text(settings)
    own = write_program(folder / "llama-server", waits_for=str(made.gate))
    made.hold()
    with running_server(made.home, {"BERTH_LLAMA_SERVER": str(own)}) as made.server:
        yield made
        made.let_go()
        for name in ("sleepy", "drowsy"):
            made.stop(name)


class Asking(threading.Thread):
    """A program that asks for a stream; `lines` is what came so far."""

    def __init__(self, server: Server, body: Any, path: str = "/v1/chat/completions") -> None:
        super().__init__(daemon=True)
        self._url, self._body = server.url + path, body
        self.lines: list[str] = []
        self.status = 0
        self._leaving = threading.Event()
        self.start()

    def run(self) -> None:
        with (
            httpx.Client(timeout=60) as client,
            client.stream("POST", self._url, json=self._body) as answer,
        ):
            self.status = answer.status_code
            try:
                for line in answer.iter_lines():
                    self.lines.append(line)
                    if self._leaving.is_set():
                        return
            except httpx.RemoteProtocolError:
                self.lines.append("broken off")

    @property
    def comments(self) -> list[str]:
        """What it was told besides its answer."""
        return [line for line in self.lines if line.startswith(":")]

    @property
    def events(self) -> list[Any]:
        """The JSON of each event but the last word."""
        data = [line[6:] for line in self.lines if line.startswith("data: {")]
        return [json.loads(item) for item in data]

    def told(self) -> "Asking":
        """Itself, once it has ended."""
        self.join(60)
        assert not self.is_alive()
        return self
