"""Machines with a real LiteLLM and a real nginx."""

from collections.abc import Iterator

import pytest

from tests.support.gateway_box import GatewayBox, gateway_box


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBox]:
    """A machine with nothing behind its nginx yet."""
    with gateway_box(tmp_path_factory.mktemp("box") / "server") as found:
        yield found


@pytest.fixture
def served(machine: GatewayBox) -> GatewayBox:
    """The machine when its gateway leads to `anvil` on slot 50, and to nothing else."""
    return machine.serve({50: "anvil"})
