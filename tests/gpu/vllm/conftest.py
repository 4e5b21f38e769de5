"""A real vLLM, built for processors, as the service of a slot: one for all tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.base import StartOptions
from lib.engines.vllm import ENGINE, watch
from tests.support.vllm_real import Real, real_slot


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """It is ready; its start took half a minute or more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ENGINE, "_watcher", watch.Watcher())
        with real_slot(tmp_path_factory.mktemp("real")) as real:
            real.use(patch)
            patch.setenv("BERTH_HOME", str(tmp_path_factory.mktemp("berth")))
            real.notes = real.start("tiny", StartOptions())
            yield real


@pytest.fixture
def real(started: Real, home: Path, monkeypatch: pytest.MonkeyPatch) -> Real:
    """The same for one test, which has a BERTH_HOME of its own."""
    started.use(monkeypatch)
    return started
