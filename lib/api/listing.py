"""/v1/models: every model that can be asked, or be started to be asked, in OpenAI's shape.

What a client needs to choose by stands beside it: how long a context it has, what it reads, and
whether it runs.
"""

from typing import Any

from lib.api import callers
from lib.core.errors import NotFound
from lib.core.names import shown
from lib.engines import all_models
from lib.engines.base import Model, State
from lib.fit.kinds import Task

OFFERED = (State.READY, State.STARTING, State.STOPPED)
_ROUTES = {Task.WRITING: "chat", Task.EMBEDDING: "embeddings", Task.RANKING: "rerank"}


def every(_: str = "") -> dict[str, Any]:
    """Running ones first."""
    return {"object": "list", "data": [described(model) for model in _offered()]}


def one(name: str) -> dict[str, Any]:
    """The model of this name, which may have `/` and `:` in it; NotFound where there is none."""
    for model in _offered():
        if model.name == name:
            return described(model)
    raise NotFound(f"There is no model “{shown(name)}”.", "GET /v1/models lists those there are.")


def _offered() -> list[Model]:
    found = [model for model in all_models() if model.state in OFFERED]
    return [model for model in found if callers.offers(model.name)]


def described(model: Model) -> dict[str, Any]:
    """One row; what is not known is null."""
    reads = ["text", "image"] if model.can_see else ["text"]
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.started_at or 0),
        "owned_by": model.engine,
        "state": model.state.lower(),
        "task": _ROUTES.get(model.task, str(model.task)),
        "context_length": model.context or model.context_trained,
        "modalities": {"input": reads, "output": ["text"] if model.writes else []},
        "tools": model.calls_tools,
    }
