"""What the tests of the Ollama engine share."""

import contextlib
from collections.abc import Iterator

import pytest

from lib.engines.base import ChatOptions, Delta, DeltaStream, Message, Model
from lib.engines.ollama import ENGINE
from lib.engines.ollama.store import Progress
from tests.support.fake_ollama import RunningOllama, running_ollama

ASK = (Message(role="user", content="What is the capital of France?"),)
SHORT = ChatOptions(temperature=0, max_tokens=20)


@contextlib.contextmanager
def faking(monkeypatch: pytest.MonkeyPatch, *options: str) -> Iterator[RunningOllama]:
    """A fake Ollama with these options, which the engine then talks to."""
    with running_ollama(*options) as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        yield fake


def ignore(_: Progress) -> None:
    """A listener that does not care."""


def model(name: str) -> Model:
    """The row of a model, which must be there."""
    return next(row for row in ENGINE.models() if row.name == name)


def told(stream: DeltaStream) -> tuple[str, Delta]:
    """What a reply said, and its last piece."""
    with contextlib.closing(stream) as pieces:
        every = list(pieces)
    return "".join(piece.text for piece in every), every[-1]


def asked(content: str) -> tuple[Message, ...]:
    """One question."""
    return (Message(role="user", content=content),)
