"""What every route of the fake Ollama shares: its behaviour, its store, and what was asked."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.fake_ollama.go import Answer
from tests.support.fake_ollama.pulls import PullBehaviour, Pulls
from tests.support.fake_ollama.store import Entry, Store


@dataclass
class Behaviour(PullBehaviour):
    """What the server does; a negative number means never."""

    version: str = "0.24.1"
    models: str = ""  # names of the registry that are there from the start, commas between them
    size_bytes: int = -1  # what each of these claims to take on the disk
    gap_ms: float = 0
    prefill_ms: float = 0
    load_ms: float = 0
    text: str = ""  # said word by word, instead of the canned reply
    no_echo: bool = False  # what it continues does not come first once more, as before 2026
    thinking: int = 0  # so many tokens come as thinking first
    die_after: int = -1  # tokens, then the model's process is gone
    cut_after: int = -1  # tokens, then the stream ends without its last line
    stuck: str = ""  # routes that begin so take a request and never answer
    odd: str = ""  # a body that every GET answers with instead of its own


@dataclass
class Call:
    """One request with a body, and how its answer went."""

    method: str
    path: str
    body: Any
    ended: str = "running"  # done, left (by the client), refused, broken, stuck


@dataclass
class World:
    """The server's whole state."""

    behaviour: Behaviour
    store: Store
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pulls = Pulls(self.store, self.behaviour)
        for name in filter(None, self.behaviour.models.split(",")):
            self.pulls.install(name)
            if self.behaviour.size_bytes >= 0:
                self.found(name).size = self.behaviour.size_bytes

    async def body(self, request: web.Request) -> dict[str, Any]:
        """The request's JSON, recorded; an error in Go's words where it is none."""
        data = await request.read()
        if not data:
            raise Answer(400, "missing request body")
        try:
            body = json.loads(data)
        except ValueError as error:
            raise Answer(400, "unexpected EOF") from error
        self.calls.append(Call(request.method, request.path, body))
        request["call"] = self.calls[-1]
        return body if isinstance(body, dict) else {}

    def found(self, name: Any) -> Entry:
        """The model of this name, or 404."""
        entry = self.store.find(str(name))
        if entry is None:
            raise Answer(404, f"model '{name}' not found")
        return entry
