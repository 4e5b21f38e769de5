"""What replies of Ollama's tell of this machine's memory."""

import hashlib
from pathlib import Path

import pytest

from lib.engines.base import ChatOptions, StartOptions
from lib.engines.llamacpp.speed import LEAST_TOKENS, token_bytes
from lib.engines.ollama import ENGINE
from lib.engines.ollama.speed import is_here
from lib.fit.gguf import read_file
from lib.machine import bandwidth
from tests.support.ollama import ASK, faking, ignore, told
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

NAME = "tiny:latest"
PER_SECOND = 25.0  # tokens, that the fake tells
LONG = ChatOptions(max_tokens=LEAST_TOKENS)


def blob(folder: Path) -> Path:
    """A model file as Ollama keeps it."""
    [file] = write_tiny(folder / "tiny.gguf")
    kept = folder / "blobs" / f"sha256-{hashlib.sha256(file.read_bytes()).hexdigest()}"
    kept.parent.mkdir()
    return file.rename(kept)


def reached() -> float:
    return bandwidth._kept().get(bandwidth._machine(), bandwidth.Known()).reached


def test_a_long_reply_tells_what_the_memory_can_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = blob(tmp_path)
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    with faking(monkeypatch, "--text", "word " * LEAST_TOKENS, "--gap-ms=0"):
        ENGINE.create_from_file(file, NAME, ignore)
        ENGINE.start(NAME, StartOptions())
        told(ENGINE.chat(NAME, ASK, ChatOptions(max_tokens=LEAST_TOKENS - 1)))
        told(ENGINE.chat(NAME, ASK, LONG))
        known = until(reached)
    assert known == pytest.approx(PER_SECOND * token_bytes(read_file(file)))


def test_of_a_file_that_cannot_be_read_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = blob(tmp_path)
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "elsewhere"))
    with faking(monkeypatch, "--text", "word " * LEAST_TOKENS, "--gap-ms=0"):
        ENGINE.create_from_file(file, "unreadable:latest", ignore)
        ENGINE.start("unreadable:latest", StartOptions())
        assert ENGINE._token_bytes("unreadable:latest") == 0
        assert ENGINE._token_bytes("other:latest") == 0


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://localhost:11434", True),
        ("http://[::1]:11434", True),
        ("http://10.0.0.7:11434", False),
        ("https://ollama.example", False),
    ],
)
def test_only_an_ollama_of_this_machine_tells_of_its_memory(address: str, here: bool) -> None:
    assert is_here(address) == here
