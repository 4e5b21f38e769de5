"""A small real server that answers like Ollama, word for word, and misbehaves on demand.

    python -m tests.support.fake_ollama --port 0 --gap-ms 20 --version 0.24.1

It prints its base URL as the first line. Nothing is computed: replies are canned, pulled files have
no bytes, and models made of uploaded files are described by their headers. `GET /fake/record` tells
what was asked, `POST /fake/behaviour` changes any field of Behaviour while it runs. In a test:

    with running_ollama("--pull-seconds", "3") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
"""

from contextlib import AbstractContextManager

from tests.support.fake_server import ROOT, running
from tests.support.fake_server import Running as RunningOllama

__all__ = ["ROOT", "RunningOllama", "running_ollama"]


def running_ollama(*options: str) -> AbstractContextManager[RunningOllama]:
    """A fake Ollama on a free port, for as long as the block runs."""
    return running("tests.support.fake_ollama", *options)
