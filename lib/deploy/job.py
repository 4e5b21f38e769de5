"""A deployment as a job: refused before it starts, or started once."""

import shutil

from lib.core import model_place, words
from lib.core.access import Action, require
from lib.core.errors import (
    BadInput,
    DoesNotFit,
    EngineError,
    NoSpace,
)
from lib.core.settings import settings
from lib.deploy.plan import plan
from lib.deploy.request import DeployRequest
from lib.deploy.shapes import Plan, Row
from lib.jobs import jobs
from lib.jobs.jobs import Job

KIND = "deploy"
MOST_OFFERED = 3


def start(request: DeployRequest) -> Job:
    """The deployment as a job; asked twice, the one under way.

    Refused before it starts: DoesNotFit, NotFound, BadInput and what else the plan raises.
    """
    require(Action.DEPLOY)
    under_way = [job for job in jobs.running(KIND) if job.resource == request.resource]
    if under_way:
        return under_way[0]
    model_place.require_there(settings().home)
    found = plan(request)
    require_room(found, request.accept_danger)
    require_disk(found)
    return begin(request, request.title)


def begin(request: DeployRequest, title: str) -> Job:
    """The same at once: the job itself makes the plan, and ends where that cannot be."""
    if not shutil.which("bash"):
        raise EngineError("Deployments need bash, which this machine lacks.", "Install bash.")
    model_place.require_there(settings().home)
    return jobs.start_once(
        request.command(),
        title=title,
        kind=KIND,
        resource=request.resource,
        details=request.model_dump(),
        env=_secrets(),
    )


def retry(job: Job) -> Job:
    """The same deployment as a new job: it goes on with what the last one fetched."""
    if job.kind != KIND:
        raise BadInput(f"“{job.title}” is no deployment.", "Choose one of the deployments.")
    return start(DeployRequest.model_validate(job.details))


def require_room(found: Plan, accept_danger: bool) -> None:
    """DoesNotFit where the plan needs more memory than is free, or than somebody agreed to."""
    said = found.verdict
    if not said.fits:
        free = words.memory(found.room.free_bytes)
        nothing = f"Nothing of it fits {free}: choose a smaller model, or close other programs."
        offers = f"{_nearest(found)} {_smaller_cache(found)}".strip()
        raise DoesNotFit(f"{_subject(found)} does not fit. {said.sentence}", offers or nothing)
    if said.is_tight and not accept_danger:
        raise DoesNotFit(
            f"{_subject(found)} fits only just: it takes {said.share:.0%} of the free memory.",
            f"Accept that (--accept-danger), or close other programs. {_nearest(found)}".strip(),
        )


def require_disk(found: Plan) -> None:
    """NoSpace where the plan needs more than is free."""
    if found.disk.is_short:
        offered = ", ".join(f"{one.name} ({words.disk(one.bytes)})" for one in found.removable[:3])
        raise NoSpace(
            f"The disk is too full: {words.disk(found.disk.free)} free, "
            f"{words.disk(found.disk.needed)} needed.",
            f"{f'Remove a model ({offered}) or free' if offered else 'Free'} some space, "
            "then try again: what has arrived is kept.",
        )


def _subject(found: Plan) -> str:
    return f"{found.title or 'The file'} with context {found.context:,}"


def _nearest(found: Plan) -> str:
    """`Nearest: Q4_K_M; Q6_K with context 4,096.`; "" where nothing fits comfortably."""
    texts = [_offer(row, found.context) for row in found.rows if row.comfortable_context]
    return f"Nearest: {'; '.join(texts[:MOST_OFFERED])}." if texts else ""


def _smaller_cache(found: Plan) -> str:
    if not found.fits_with_smaller_cache:
        return ""
    return "Or store the conversation in half the memory: --kv-type q8_0."


def _offer(row: Row, context: int) -> str:
    less = row.comfortable_context < context
    return f"{row.name} with context {row.comfortable_context:,}" if less else row.name


def _secrets() -> dict[str, str]:
    token = settings().hf_token
    return {"HF_TOKEN": token.get_secret_value()} if token else {}
