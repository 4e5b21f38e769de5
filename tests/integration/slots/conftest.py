"""A GPU server in a folder, with one model on its Hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_api import HubApi
from tests.support.slots import GpuServer, gpu_server


@pytest.fixture
def server(tmp_path: Path, hub: HubApi) -> Iterator[GpuServer]:
    with gpu_server(tmp_path / "server", hub) as running:
        running.add_model()
        yield running
