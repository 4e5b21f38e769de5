"""A deployment on a slot, or its removal, as a job: refused before it starts, or started once."""

import shutil
import signal
import time
from functools import lru_cache

from lib.core.access import Action, require
from lib.core.errors import EngineError
from lib.core.settings import settings
from lib.engines.base import Model
from lib.engines.vllm.places import places, slot_number
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.slots.check import system
from lib.slots.request import SCRIPT, SlotRequest

RIGHTS_SECONDS = 60.0
KIND, REMOVAL = KINDS = "slot", "slot removal"
# A service that is stopped, and the one before it started again, take longer than a download's end.
LADDER = ((signal.SIGTERM, 60.0), (signal.SIGTERM, 15.0), (signal.SIGKILL, 3.0))  # seconds


def start(request: SlotRequest) -> Job:
    """The deployment as a job, which checks before it does anything else.

    Asked twice, the one under way; another one on the same slot waits for its turn. Only the owner
    may; the script itself says what root's rights it needs.
    """
    require(Action.DEPLOY)
    _require_bash()
    wish = request.model_dump(mode="json")
    under_way = [job for job in jobs.running(KIND) if job.details == wish]
    if under_way:
        return under_way[0]
    return jobs.start(
        request.command(),
        title=request.title,
        kind=KIND,
        resource=request.resource,
        details=wish,
        env=_secrets(),
    )


def removal(model: Model) -> Job:
    """All of the slot that this model is on taken away: service, files, entries, key.

    Asked twice, the one under way. EngineError names the command where root's rights are missing.
    """
    require(Action.REMOVE)
    _require_bash()
    slot = slot_number(model.place.removeprefix("slot "))
    command = ["bash", str(SCRIPT), "--remove", str(slot), "--yes"]
    for problem in system.rights(places(), command):
        raise problem
    details = {"slot": slot, "model": model.source}
    under_way = [job for job in jobs.running(REMOVAL) if job.details == details]
    if under_way:
        return under_way[0]
    return jobs.start(
        command,
        title=f"Remove {model.name} from slot {slot}",
        kind=REMOVAL,
        resource=f"slot:{slot}",
        details=details,
    )


def can_remove() -> bool:
    """Has Berth the rights for it? Looked at once a minute: sudo notes each refusal in a log."""
    return _can_remove(int(time.monotonic() // RIGHTS_SECONDS))


@lru_cache(maxsize=1)
def _can_remove(_now: int) -> bool:
    return not any(system.rights(places(), ()))


def cancel(job: Job) -> None:
    """End it; it has time to take back what it changed."""
    job.cancel(LADDER)


def pause(job: Job) -> None:
    """End it for now, as `cancel` does."""
    job.pause(LADDER)


def retry(job: Job) -> Job:
    """The same as a new job: a deployment goes on with what the last one fetched."""
    if job.kind == REMOVAL:
        require(Action.REMOVE)
        return job.retry()
    return start(SlotRequest.model_validate(job.details))


def _require_bash() -> None:
    if not shutil.which("bash"):
        raise EngineError("Deployments need bash, which this machine lacks.", "Install bash.")


def _secrets() -> dict[str, str]:
    token = settings().hf_token
    return {"HF_TOKEN": token.get_secret_value()} if token else {}
