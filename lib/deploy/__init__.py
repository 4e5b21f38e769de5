"""Deploying a model on this machine: what is asked for, what would be done, and the job.

The work itself is the script's, deploy_cpu.sh, which asks this package what to do.
"""

from lib.deploy.job import KIND, require_disk, require_room, retry, start
from lib.deploy.plan import plan
from lib.deploy.request import DeployRequest, EngineWish, wished
from lib.deploy.shapes import Disk, EngineChoice, Plan, PlannedFile, Removable, Row, Tier

__all__ = [
    "KIND",
    "DeployRequest",
    "Disk",
    "EngineChoice",
    "EngineWish",
    "Plan",
    "PlannedFile",
    "Removable",
    "Row",
    "Tier",
    "plan",
    "require_disk",
    "require_room",
    "retry",
    "start",
    "wished",
]
