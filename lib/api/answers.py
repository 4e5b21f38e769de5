"""What routes answer with, where no other module has a shape for it."""

from typing import Any

from pydantic import Field

from lib.chat.reply import ReplyState
from lib.core.values import Frozen
from lib.deploy.failure import Diagnosis
from lib.deploy.shapes import Plan
from lib.engines.base import Health, Model
from lib.hub.cards import Card
from lib.jobs.events import Progress
from lib.jobs.folder import JobState


class Failure(Frozen):
    """What went wrong."""

    code: str = Field(description="For programs; it stays the same.")
    message: str = Field(description="What happened, and why.")
    fix: str = Field(description="What to do about it; empty where nothing can be done.")


class Failed(Frozen):
    """The body of every failed request."""

    error: Failure


class Service(Health):
    """An engine, and whether it answers. Guests are told no `note`."""

    name: str
    title: str


class Healthy(Frozen):
    """That Berth answers, and which engines do."""

    ok: bool
    version: str
    uptime_seconds: float
    services: list[Service]


class KnownModel(Model):
    """A model. Guests are not told what is the owner's alone: addresses, logs, places."""

    gateway_url: str = Field(default="", description="Where /v1 is, for programs.")


class KnownModels(Frozen):
    """Every model, running ones first."""

    models: list[KnownModel]


class Removed(Frozen):
    """A model is gone."""

    removed: str
    freed_bytes: int
    stays_at: str = Field(default="", description="Where its file lies, if only a link went.")


class Removing(Frozen):
    """A job removes a model from its slot."""

    removing: str
    job: str


class Deployment(Frozen):
    """A deployment as it stands."""

    id: str
    title: str
    request: dict[str, Any] = Field(description="As it was asked for.")
    state: JobState
    is_paused: bool
    exit_code: int | None
    created: float = Field(description="Seconds since 1970, as the other times.")
    started: float | None
    ended: float | None
    progress: Progress


class Deployments(Frozen):
    """The newest first."""

    deployments: list[Deployment]


class DeploymentInFull(Deployment):
    """The same with its last lines, and why it failed."""

    log: str
    diagnosis: Diagnosis | None


class OnSlot(Frozen):
    """What would be done on a slot's graphics cards."""

    plan: dict[str, Any] | None
    verdict: dict[str, Any] | None
    problems: list[Failure]
    alternatives: list[dict[str, Any]]
    before: dict[str, Any] | None


class LookedUp(Frozen):
    """A repository, and what a deployment of it would do."""

    card: Card
    plan: Plan | None
    problem: Failure | None = Field(description="Why there is no plan.")
    on_slot: OnSlot | None = None


class AttachmentRemoved(Frozen):
    """The file is taken out."""

    removed: str


class Stopped(Frozen):
    """A reply, and how it stands now."""

    id: str
    state: ReplyState
