"""What is said of the routes of /v1: their fields are those that the shield lets through."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lib.api import batches, shield
from lib.api.operation import Operation
from lib.core.errors import BadInput, Conflict, EngineDown, EngineError, NoSpace, NotFound

HELLO = [{"role": "user", "content": "Name a colour."}]
MODEL = "qwen2.5-0.5b-instruct-q4_k_m"


class Listed(BaseModel):
    """A model, in OpenAI's shape and with what a client chooses by."""

    id: str
    object: str
    created: int
    owned_by: str
    state: str
    task: str
    context_length: int | None
    modalities: dict[str, list[str]]
    tools: bool | None


class AllListed(BaseModel):
    """Running ones first."""

    object: str
    data: list[Listed]


class Words(BaseModel):
    """An error's words; the official clients show `message` and nothing else."""

    model_config = ConfigDict(extra="allow")

    message: str
    fix: str = Field(default="", description="What to do about it.")


class DialectFailed(BaseModel):
    """An error in the dialect of its route."""

    model_config = ConfigDict(extra="allow")

    error: Words


class Reply(BaseModel):
    """What the engine answers, in the shape of the dialect."""

    model_config = ConfigDict(extra="allow")


class Page(BaseModel):
    """Some of them, and whether there are more."""

    object: str
    data: list[Reply]
    has_more: bool
    first_id: str | None
    last_id: str | None


_UPLOAD = (
    "A form (`multipart/form-data`) with the parts `purpose`, which is `batch`, and `file`: a"
    " request in each line, as JSON with `custom_id`, `method`, `url` and `body`."
)
_BATCH = {
    "input_file_id": "file-0123456789abcdef",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}
_TOLD: dict[
    str, tuple[str, bool, dict[str, Any]]
] = {  # a sentence, whether it can stream, and a body that works
    "/chat/completions": ("OpenAI's chat completions.", True, {"messages": HELLO}),
    "/completions": ("OpenAI's completions.", True, {"prompt": "Once upon a time"}),
    "/embeddings": ("OpenAI's embeddings.", False, {"input": "Hello"}),
    "/rerank": (
        "Texts ranked by how well they answer a query.",
        False,
        {"query": "Which is a colour?", "documents": ["blue", "round"]},
    ),
    "/responses": ("OpenAI's responses; nothing is stored.", True, {"input": "Name a colour."}),
    "/messages": ("Anthropic's messages.", True, {"max_tokens": 64, "messages": HELLO}),
    "/messages/count_tokens": ("How many tokens such a request has.", False, {"messages": HELLO}),
}
_DETAILS = (
    "The engine that runs the body's `model` answers. Fields that no engine here has are left out"
    " and named in the header `Berth-Ignored`; those without which a request would mean another"
    " thing are refused."
)


def operations() -> dict[str, dict[str, Operation]]:
    """By path and method."""
    found = {
        "/v1/models": {"get": _listed("Every model that runs or can be started.", AllListed)},
        "/v1/models/{name}": {
            "get": _listed("One of them; its name may have / and : in it.", Listed)
        },
    }
    for path in shield.DIALECTS:
        found[f"/v1{path}"] = {"post": _asked(path)}
    return found | _batches()


def _batches() -> dict[str, dict[str, Operation]]:
    """Files and batches; of each other's nobody sees anything."""
    one, every, gone = {200: Reply}, {200: Page}, (NotFound,)
    return {
        batches.FILES: {
            "get": Operation("The files that were sent for batches, and their answers.", "", every),
            "post": Operation("Send a file of requests.", _UPLOAD, one, errors=(NoSpace, BadInput)),
        },
        f"{batches.FILES}/{{id}}": {
            "get": Operation("One file.", "", one, errors=gone),
            "delete": Operation("Delete it.", "", one, errors=(NotFound, Conflict)),
        },
        f"{batches.FILES}/{{id}}/content": {
            "get": Operation(
                "What stands in it.", "", {200: None}, errors=gone, media_type=batches.MEDIA
            )
        },
        batches.BATCHES: {
            "get": Operation("The batches, newest first.", "", every),
            "post": Operation(
                "Answer every request of a file, in the background.",
                answers=one,
                body=batches.NewBatch,
                errors=(NoSpace, BadInput),
                example=_BATCH,
            ),
        },
        f"{batches.BATCHES}/{{id}}": {
            "get": Operation("One batch: how far it is, and its files.", "", one, errors=gone)
        },
        f"{batches.BATCHES}/{{id}}/cancel": {
            "post": Operation("End it; what is answered stays.", "", one, errors=gone)
        },
    }


def _listed(summary: str, answer: Any) -> Operation:
    return Operation(summary, answers={200: answer})


def _asked(path: str) -> Operation:
    summary, streams, example = _TOLD[path]
    events: Mapping[str, Any] = {"": Reply} if streams else {}
    return Operation(
        summary,
        _DETAILS,
        answers={200: Reply},
        body=shield.DIALECTS[path].fields,
        events=events,
        errors=(EngineError, EngineDown),
        example={"model": MODEL, **example},
    )
