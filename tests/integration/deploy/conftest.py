"""What tests of deployments share: the script without Ollama, and an end of what they started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.berth import stop_engines
from tests.support.deployment import Script, add_tiny
from tests.support.hub_api import HubApi


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """The script on a machine without Ollama."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    return Script(tmp_path / "script")


@pytest.fixture
def tiny(hub: HubApi, tmp_path: Path) -> HubApi:
    """The Hub has a model that any machine can hold."""
    add_tiny(hub, tmp_path / "files")
    return hub


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose memory is no limit, however busy this one is."""
    monkeypatch.setattr("lib.machine.bandwidth.of_this_machine", lambda: 1e12)


@pytest.fixture
def nothing_left_running(home: Path) -> Iterator[None]:
    """Engines that a test has started are ended."""
    yield
    stop_engines()
