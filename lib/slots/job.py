"""A deployment on a slot as a job: refused before it starts, or started once."""

import shutil
import signal

from lib.core.access import Action, require
from lib.core.errors import EngineError
from lib.core.settings import settings
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.slots.request import SlotRequest

KIND = "slot"
# A service that is stopped, and the one before it started again, take longer than a download's end.
LADDER = ((signal.SIGTERM, 60.0), (signal.SIGTERM, 15.0), (signal.SIGKILL, 3.0))  # seconds


def start(request: SlotRequest) -> Job:
    """The deployment as a job, which checks before it does anything else.

    Asked twice, the one under way; another one on the same slot waits for its turn. Only the owner
    may; the script itself says what root's rights it needs.
    """
    require(Action.DEPLOY)
    if not shutil.which("bash"):
        raise EngineError("Deployments need bash, which this machine lacks.", "Install bash.")
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


def cancel(job: Job) -> None:
    """End it; it has time to take back what it changed."""
    job.cancel(LADDER)


def retry(job: Job) -> Job:
    """The same deployment as a new job: it goes on with what the last one fetched."""
    return start(SlotRequest.model_validate(job.details))


def _secrets() -> dict[str, str]:
    token = settings().hf_token
    return {"HF_TOKEN": token.get_secret_value()} if token else {}
