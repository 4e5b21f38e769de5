"""Machines with a real LiteLLM and a real nginx."""

from collections.abc import Iterator

import pytest

from tests.support.gateway_box import GatewayBox, gateway_box


@pytest.fixture(scope="module")
def served() -> Iterator[GatewayBox]:
    """A machine whose gateway leads to `anvil` on slot 50."""
    with gateway_box() as machine:
        machine.engine(50, "anvil")
        machine.steps("open")
        machine.steps("settle")
        yield machine
