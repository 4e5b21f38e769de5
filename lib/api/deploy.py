"""/api/deploy: begin, follow, pause, cancel and repeat deployments; /api/models/lookup before one.

Everything here reads files or asks the Hub, so it runs in threads.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib import deploy, hub
from lib.api.answers import Deployment, DeploymentInFull, Deployments, LookedUp
from lib.api.errors import read_json, read_query, validated
from lib.api.operation import EVENTS, HUB, operation
from lib.core import lifecycle
from lib.core.access import Action, require
from lib.core.errors import (
    BadInput,
    BerthError,
    CannotRun,
    Conflict,
    DoesNotFit,
    NotFound,
)
from lib.core.names import shown
from lib.deploy import DeployRequest, diagnosis
from lib.engines.vllm.places import places
from lib.hub import Reference
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.machine.sampler import SAMPLER
from lib.slots import job as slot_job
from lib.slots import offer
from lib.slots.request import SlotRequest, wished

LOOK_SECONDS = 0.5
LOG_LINES = 200
LONGEST_SECONDS = 6 * 3600.0  # of one answer; the client comes again with Last-Event-ID
KEEP_ALIVE_SECONDS = 10.0
MOST_LISTED = 50
KINDS = (deploy.KIND, *slot_job.KINDS)
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class OfJob(BaseModel):
    """Which deployment is followed."""

    job: str = Field(default="", description="Its id.")


class ComesBack(BaseModel):
    """The header of a client that was cut off."""

    last_event_id: str = Field(default="", description="How much of the log has arrived.")


class Repository(BaseModel):
    """What is looked up."""

    repo: str = Field(default="", description="organisation/name, or an address on the Hub.")
    quant: str = Field(default="", description="A quantization, such as Q4_K_M.")
    file: str = Field(default="", description="A file in the repository.")
    slot: str | None = Field(default=None, description="The number of a slot of graphics cards.")


@operation(
    Deployment,
    status=202,
    body=DeployRequest | SlotRequest,
    errors=(*HUB, Conflict, DoesNotFit, CannotRun),
    example={"model": "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "quantization": "Q4_K_M"},
)
async def create(request: Request) -> Response:
    """Begin a deployment; answers with its job at once. Asked twice, the one under way.

    With a `slot` in the body it is one on graphics cards.
    """
    require(Action.DEPLOY)
    told = await read_json(request)
    if isinstance(told, dict) and "slot" in told:
        job = await run_in_threadpool(offer.start, validated(told, SlotRequest))
    else:
        job = await run_in_threadpool(deploy.start, validated(told, DeployRequest))
    return JSONResponse(await run_in_threadpool(_described, job), status_code=202)


@operation(Deployments)
async def index(request: Request) -> Response:
    """The deployments, newest first."""
    require(Action.DEPLOY)
    return JSONResponse({"deployments": await run_in_threadpool(_rows)})


@operation(DeploymentInFull)
async def show(request: Request) -> Response:
    """One deployment: state, progress, last lines, and why it failed."""
    require(Action.DEPLOY)
    job = await run_in_threadpool(_named, request.path_params["id"])
    return JSONResponse(await run_in_threadpool(_detailed, job))


@operation(Deployment, errors=(Conflict,))
async def cancel(request: Request) -> Response:
    """End a deployment; what was downloaded is kept."""
    return await _done(request, _cancel)


@operation(Deployment, errors=(Conflict,))
async def pause(request: Request) -> Response:
    """End a deployment that is to go on later."""
    return await _done(request, _pause_job)


@operation(Deployment, status=202, errors=(*HUB, Conflict, DoesNotFit, CannotRun))
async def retry(request: Request) -> Response:
    """The same deployment again; it goes on with what the last one fetched."""
    require(Action.DEPLOY)
    job = await run_in_threadpool(_named, request.path_params["id"])
    act = slot_job.retry if job.kind in slot_job.KINDS else deploy.retry
    again = await run_in_threadpool(act, job)
    return JSONResponse(await run_in_threadpool(_described, again), status_code=202)


@operation(
    query=OfJob,
    headers=ComesBack,
    errors=(NotFound,),
    events={"log": str, "state": Deployment, "end": dict},
)
async def stream(request: Request) -> Response:
    """Follow a deployment: its log, progress and state as events, until it is over.

    The id of an event is how much of the log was sent, so `Last-Event-ID` goes on from there.
    """
    require(Action.DEPLOY)
    job = await run_in_threadpool(_named, read_query(request, OfJob).job)
    sent = request.headers.get("last-event-id", "0")
    offset = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 16 else 0
    if request.method == "HEAD":
        return Response(media_type=EVENTS, headers=HEADERS)
    return StreamingResponse(_events(job.id, offset), media_type=EVENTS, headers=HEADERS)


@operation(LookedUp, query=Repository, errors=(*HUB, Conflict, CannotRun))
async def lookup(request: Request) -> Response:
    """A repository before it is deployed: its card, files, and what would be done.

    With `slot` also what would be done on that slot's graphics cards.
    """
    require(Action.DEPLOY)
    asked = read_query(request, Repository)
    named = hub.parse_reference(asked.repo)
    if not named.repo:
        raise BadInput(f"“{shown(asked.repo)}” is not a repository.", "Write organisation/name.")
    given = {"quantization": asked.quant, "file": asked.file}
    told = await run_in_threadpool(_looked_up, named, asked.repo, given)
    if asked.slot is not None:
        wish = wished(model=named.repo, slot=asked.slot)
        told["on_slot"] = await run_in_threadpool(_on_slot, wish)
    return JSONResponse(told)


def _on_slot(wish: SlotRequest) -> dict[str, Any]:
    """The plan is missing where the model cannot be had; `problems` say what stands in the way."""
    found = offer.offer(wish, SAMPLER.cards(), places())
    problems = (found.refusal, *found.obstacles, found.needs_root)
    return {
        "plan": found.plan.model_dump(mode="json") if found.plan else None,
        "verdict": found.verdict.model_dump(mode="json") if found.verdict else None,
        "problems": [error.as_json()["error"] for error in problems if error],
        "alternatives": [
            {"sentence": way.sentence, "request": way.request and way.request.model_dump()}
            for way in found.alternatives
        ],
        "before": found.before.model_dump(mode="json") if found.before else None,
    }


def _looked_up(named: Reference, text: str, given: dict[str, str]) -> dict[str, Any]:
    """The plan is missing where there is none, and `problem` says why."""
    wish = deploy.wished(model=text, **given)
    card = hub.look_up(named.repo, named.revision)
    told: dict[str, Any] = {"card": card.model_dump(mode="json"), "plan": None, "problem": None}
    try:
        plan = deploy.plan(wish)
    except BerthError as error:
        return told | {"problem": error.as_json()["error"]}
    card = card.described(plan.architecture, plan.parameters, plan.context_trained)
    return told | {"card": card.model_dump(mode="json"), "plan": plan.model_dump(mode="json")}


def _rows() -> list[dict[str, Any]]:
    found = (job for job in jobs.recent(jobs.KEPT_JOBS) if job.kind in KINDS)
    return [_described(job) for job in islice(found, MOST_LISTED)]


async def _events(job_id: str, offset: int) -> AsyncIterator[str]:
    stopping, loop = lifecycle.stop_event(), asyncio.get_running_loop()
    ends_at, quiet_until, told = loop.time() + LONGEST_SECONDS, 0.0, ""
    while not stopping.is_set() and loop.time() < ends_at:
        job, text, offset = await run_in_threadpool(_news, job_id, offset)
        state = json.dumps(_described(job)) if job else told
        news = _written(text, offset, state if state != told else "")
        if news or loop.time() > quiet_until:
            yield news or ": still here\n\n"
            quiet_until, told = loop.time() + KEEP_ALIVE_SECONDS, state
        elif job is None or not job.is_active:
            yield "event: end\ndata: {}\n\n"
            return
        else:
            await _pause(stopping)


def _written(text: str, offset: int, state: str) -> str:
    """The events for what is new."""
    log = f"id: {offset}\nevent: log\ndata: {json.dumps(text)}\n\n" if text else ""
    return log + (f"event: state\ndata: {state}\n\n" if state else "")


def _news(job_id: str, offset: int) -> tuple[Job | None, str, int]:
    """The job, and what its log has since `offset`; None where it was forgotten."""
    try:
        job = _named(job_id)
    except NotFound:
        return None, "", offset
    return job, *job.read_log(offset)


async def _pause(stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


async def _done(request: Request, act: Callable[[Job], None]) -> Response:
    require(Action.DEPLOY)
    job = await run_in_threadpool(_named, request.path_params["id"])
    await run_in_threadpool(act, job)
    return JSONResponse(await run_in_threadpool(lambda: _described(jobs.find(job.id))))


def _cancel(job: Job) -> None:
    slot_job.cancel(job) if job.kind in slot_job.KINDS else job.cancel()


def _pause_job(job: Job) -> None:
    slot_job.pause(job) if job.kind in slot_job.KINDS else job.pause()


def _named(job_id: str) -> Job:
    job = jobs.find(job_id)
    if job.kind not in KINDS:
        raise NotFound(f"There is no deployment “{shown(job_id)}”.", "See /api/deploy.")
    return job


def _described(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "title": job.title,
        "request": job.details,
        "state": job.state,
        "is_paused": job.is_paused,
        "exit_code": job.exit_code,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "progress": job.progress().model_dump(mode="json"),
    }


def _detailed(job: Job) -> dict[str, Any]:
    found = diagnosis.diagnose(job)
    return {
        **_described(job),
        "log": job.log_tail(LOG_LINES),
        "diagnosis": found.model_dump(mode="json") if found else None,
    }


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/deploy", create, methods=["POST"]),
        Route("/deploy", index),
        Route("/deploy/stream", stream),
        Route("/deploy/{id}", show),
        Route("/deploy/{id}", cancel, methods=["DELETE"]),
        Route("/deploy/{id}/pause", pause, methods=["POST"]),
        Route("/deploy/{id}/retry", retry, methods=["POST"]),
        Route("/models/lookup", lookup),
    ]
