"""/v1/models: every model that can be asked, or be started to be asked, in OpenAI's shape.

What a client needs to choose by stands beside it, by the names that clients look for: how long a
context it has or will be loaded with, what it reads, whether it calls tools and thinks, and whether
it runs. All of it is known from records: no row costs a look of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lib.core.errors import NotFound
from lib.core.names import shown
from lib.engines import aliases, all_models, titles, variants
from lib.engines.base import Model, State
from lib.engines.variants import Variants
from lib.fit.kinds import Task
from lib.fleet import figures

STATES = {
    State.READY: "running",
    State.STARTING: "loading",
    State.STOPPED: "stopped",
    State.STOPPING: "stopped",
}
_ROUTES = {Task.WRITING: "chat", Task.EMBEDDING: "embeddings", Task.RANKING: "rerank"}

Allowed = Callable[[Model], bool]


def _anyone(_: Model) -> bool:
    return True


def every(allowed: Allowed = _anyone) -> dict[str, Any]:
    """Running ones first; those alone that whoever asks may use."""
    settings = variants.every()
    rows = [described(model, settings) for model in _offered(allowed)]
    return {"object": "list", "data": rows}


def one(name: str, allowed: Allowed = _anyone) -> dict[str, Any]:
    """The model that goes by this name, which may have `/` and `:` in it; else NotFound."""
    models = _offered(allowed)
    model = aliases.named(name, models) or aliases.named(titles.meant(name, models) or name, models)
    if model is None:
        raise NotFound(
            f"There is no model “{shown(name)}”.", "GET /v1/models lists those there are."
        )
    return described(model, variants.every())


def _offered(allowed: Allowed) -> list[Model]:
    return [model for model in all_models() if model.state in STATES and allowed(model)]


def described(model: Model, settings: Mapping[str, Variants]) -> dict[str, Any]:
    """One row; what is not known is null."""
    context = figures.context(model, settings.get(model.key, Variants()))
    reads = ["text", "image"] if model.can_see else ["text"]
    writes = ["text"] if model.writes else []
    return {
        "id": model.name,
        "name": model.called,  # OpenRouter's word; a request may name it by this too
        "object": "model",
        "created": int(model.started_at or 0),
        "owned_by": model.engine,
        "state": STATES[model.state],
        "task": _ROUTES.get(model.task, str(model.task)),
        "context_length": context,  # OpenRouter's word
        "context_window": context,  # Groq's
        "max_model_len": context,  # vLLM's
        "meta": {"n_ctx": context, "n_ctx_train": model.context_trained, "size": model.size_bytes},
        "modalities": {"input": reads, "output": writes},
        "architecture": {"input_modalities": reads, "output_modalities": writes},
        "tools": model.calls_tools,
        "reasoning": model.thinks,
    }
