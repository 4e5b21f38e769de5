"""A machine with slots, for one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.vllm import ENGINE, watch
from tests.support.vllm_slots import Box, boxed


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """Nothing is known of it yet, and looks are repeated as quickly as the tests want."""
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(watch, "FRESH_ELSEWHERE_SECONDS", 0.1)
    yield from boxed(tmp_path, monkeypatch)
