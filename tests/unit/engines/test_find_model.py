"""Finding a model asks no engine that cannot have it."""

import socket

import pytest

from lib.core.errors import NotFound
from lib.core.settings import settings
from lib.engines import find_model
from lib.engines.llamacpp import ENGINE
from tests.support.tiny_gguf import write_tiny


def test_an_engine_that_is_not_named_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(settings().models / "small.gguf")
    with socket.create_server(("127.0.0.1", 0)) as ollama:
        ollama.setblocking(False)
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{ollama.getsockname()[1]}")
        assert find_model("small", ENGINE.name).name == "small"
        with pytest.raises(BlockingIOError):
            ollama.accept()


@pytest.mark.parametrize("engine", ["ollama", "no-such-engine"])
def test_another_engine_does_not_have_it(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    write_tiny(settings().models / "small.gguf")
    with pytest.raises(NotFound):
        find_model("small", engine)
