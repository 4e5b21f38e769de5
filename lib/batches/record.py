"""A batch: what was asked for, how it stands, and how the dialect tells both."""

from enum import StrEnum
from typing import Any

from lib.batches.lines import Problem
from lib.batches.places import errors_id, output_id
from lib.core.values import Frozen

WINDOW = "24h"
WINDOW_SECONDS = 86_400


class Status(StrEnum):
    """How a batch stands."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


_ENDING = (Status.CANCELLING, Status.CANCELLED)
OVER = (Status.FAILED, Status.COMPLETED, Status.EXPIRED, Status.CANCELLED)


class Asked(Frozen):
    """batch.json."""

    id: str
    owner: str  # who may see it; "" is the owner of this machine
    endpoint: str
    input_file_id: str
    model: str = ""  # by the first line, as far as that can be read
    metadata: dict[str, str] | None = None
    created_at: int  # epoch seconds
    expires_at: int
    keep_seconds: int  # so long its answers are kept
    proof: str  # by which the gateway knows whose requests the batch's are


class Tokens(Frozen):
    """What the answers took."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        mine, theirs = self.model_dump(), other.model_dump()
        return Tokens(**{name: mine[name] + theirs[name] for name in mine})


class Standing(Frozen):
    """state.json."""

    status: Status = Status.VALIDATING
    model: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    tokens: Tokens = Tokens()
    problems: tuple[Problem, ...] = ()
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    ended_at: int | None = None
    has_output: bool = False  # the files exist
    has_errors: bool = False

    @property
    def is_over(self) -> bool:
        """Will nothing change any more?"""
        return self.status in OVER


class Batch(Frozen):
    """Both, as they stood when they were read."""

    asked: Asked
    standing: Standing
    cancelling_at: int | None = None

    @property
    def status(self) -> Status:
        """As the dialect has it: one that is cancelled ends a moment later."""
        is_ending = self.cancelling_at is not None and not self.standing.is_over
        return Status.CANCELLING if is_ending else self.standing.status

    def described(self) -> dict[str, Any]:
        """The dialect's object."""
        asked, now = self.asked, self.standing
        listed = {"object": "list", "data": [one.described() for one in now.problems]}
        return {
            "id": asked.id,
            "object": "batch",
            "endpoint": asked.endpoint,
            "model": now.model or asked.model or None,
            "errors": listed if now.problems else None,
            "input_file_id": asked.input_file_id,
            "completion_window": WINDOW,
            "status": self.status,
            "output_file_id": output_id(asked.id) if now.has_output else None,
            "error_file_id": errors_id(asked.id) if now.has_errors else None,
            "created_at": asked.created_at,
            "expires_at": asked.expires_at,
            "in_progress_at": now.in_progress_at,
            "finalizing_at": now.finalizing_at,
            "cancelling_at": self.cancelling_at if self.status in _ENDING else None,
            **{f"{over}_at": self._ended_as(over) for over in OVER},
            "request_counts": now.model_dump(include={"total", "completed", "failed"}),
            "usage": _usage(now.tokens) if now.total else None,
            "metadata": asked.metadata,
        }

    def _ended_as(self, over: Status) -> int | None:
        return self.standing.ended_at if self.standing.status == over else None


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
