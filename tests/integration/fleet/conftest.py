"""Somebody's home with every tool's models in it, and looks of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.fleet import adoption
from lib.fleet.adoption import Adoption
from tests.support.stores import hub_cache, ollama_store, studio


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of somebody who has all of those tools."""
    home = tmp_path / "somebody"
    monkeypatch.setenv("HOME", str(home))
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    hub_cache(home / ".cache/huggingface/hub", "acme/A-GGUF", "Anvil-1B-Q4_K_M.gguf")
    studio(home / ".lmstudio/models", "acme/VL-GGUF", "VL-1B-Q8_0.gguf")
    ollama_store(home / ".ollama/models", "registry.ollama.ai/library/forge/1b", projector=True)
    return home


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Adoption]:
    """Looks that no other test has begun; the last one ends with its test."""
    fresh = Adoption()
    monkeypatch.setattr(adoption, "ADOPTION", fresh)
    yield fresh
    if fresh.is_looking():
        fresh.look()
