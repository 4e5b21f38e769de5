"""What deploying a model would do."""

from lib.deploy.request import DeployRequest
from lib.deploy.shapes import Plan
from lib.fit import Room


def plan(request: DeployRequest, room: Room | None = None, *, ask_engine: bool = False) -> Plan:
    """Look everything up and change nothing."""
    raise NotImplementedError
