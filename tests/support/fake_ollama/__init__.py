"""A small real server that answers like Ollama, word for word, and misbehaves on demand.

    python -m tests.support.fake_ollama --port 0 --gap-ms 20 --version 0.24.1

It prints its base URL as the first line. Nothing is computed: replies are canned, pulled files have
no bytes, and models made of uploaded files are described by their headers. `GET /fake/record` tells
what was asked, `POST /fake/behaviour` changes any field of Behaviour while it runs. In a test:

    with running_ollama("--pull-seconds", "3") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent.parent


@dataclass
class RunningOllama:
    """A fake Ollama in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def record(self) -> list[dict[str, Any]]:
        """What was asked so far, oldest first."""
        calls: list[dict[str, Any]] = httpx.get(f"{self.url}/fake/record").json()
        return calls

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to this path."""
        return [call["body"] for call in self.record() if call["path"] == path]

    def behave(self, **changes: Any) -> None:
        """Change its behaviour while it runs."""
        httpx.post(f"{self.url}/fake/behaviour", json=changes).raise_for_status()

    def last_call(self, ended: str, within_seconds: float = 5.0) -> dict[str, Any]:
        """The latest request, as soon as its answer ended like this."""
        give_up_at = time.monotonic() + within_seconds
        while True:
            calls = self.record()
            if calls and calls[-1]["ended"] == ended:
                return calls[-1]
            assert time.monotonic() < give_up_at, f"not {ended} within {within_seconds} s: {calls}"
            time.sleep(0.02)


@contextlib.contextmanager
def running_ollama(*options: str) -> Iterator[RunningOllama]:
    """A fake Ollama on a free port, for as long as the block runs."""
    command = [sys.executable, "-m", "tests.support.fake_ollama", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), "the fake Ollama did not start"
            yield RunningOllama(url, process)
        finally:
            process.terminate()
