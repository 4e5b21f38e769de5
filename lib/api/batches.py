"""/v1/files and /v1/batches: OpenAI's batches, answered by the models of this machine.

What is kept belongs to whoever sent it; to everybody else it does not exist.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse

from lib.api import callers, uploads
from lib.api.answer import Answer
from lib.api.errors import WrongMethod, parsed, read_body
from lib.api.shield import WrongField
from lib.api.shield.values import wrong_field
from lib.batches import store, stored
from lib.batches.asking import PROOF
from lib.batches.lines import ENDPOINTS
from lib.batches.record import WINDOW
from lib.batches.stored import MOST_BYTES, StoredFile
from lib.core.access import Role, current, role
from lib.core.errors import Forbidden, NoSpace, NotFound
from lib.core.names import shown

FILES, BATCHES = "/v1/files", "/v1/batches"
ANTHROPICS = "/v1/messages/batches"
LARGEST_BODY = 64 * 2**10
MOST_FILES, MOST_BATCHES, USUAL_BATCHES = 10_000, 100, 20  # in one answer
KEPT_SECONDS = {"ge": 3_600, "le": 2_592_000}
_PATH = re.compile(r"/v1/(files|batches)(?:/([^/]{1,100})(?:/(content|cancel))?)?")
MEDIA = "application/octet-stream"  # whatever a client calls it


class Expiry(BaseModel):
    """How long a file is kept."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(**KEPT_SECONDS)]


class NewBatch(BaseModel):
    """The body of POST /v1/batches."""

    model_config = ConfigDict(extra="ignore")

    input_file_id: Annotated[str, Field(max_length=100)]
    endpoint: str
    completion_window: str
    metadata: (
        Annotated[
            dict[
                Annotated[str, Field(max_length=64)],
                Annotated[str, Field(max_length=512)],
            ],
            Field(max_length=16),
        ]
        | None
    ) = None
    output_expires_after: Expiry | None = None


def is_ours(path: str) -> bool:
    """Is this path for this module?"""
    return any(f"{path}/".startswith(f"{one}/") for one in (FILES, BATCHES, ANTHROPICS))


def whose() -> str:
    """Whose files and batches are seen: the id of the key; "" for the owner of this machine."""
    actor = current()
    if actor.role == Role.GUEST:
        raise Forbidden("Batches are for programs with a key.", "Ask the owner for an API key.")
    return actor.who if actor.role == Role.PROGRAM else ""


def asks_for(request: Request) -> str:
    """The key for whose batch this asks, by the proof that the batch sends; "" for anything else.

    Only a batch's own process on this machine, which is the owner's, is believed.
    """
    proof = request.headers.get(PROOF, "")
    return (_owner_by(proof) or "") if proof and role() == Role.OWNER else ""


@lru_cache(maxsize=64)
def _owner_by(proof: str) -> str | None:
    return store.owner_of(proof)


async def serve(request: Request, answer: Answer) -> None:
    """Answer a request to one of these paths."""
    found = _PATH.fullmatch(request.scope["path"])
    what, name, act = found.groups() if found else ("", None, None)
    kind = f"{what}{'/id' if name else ''}{f'/{act}' if act else ''}"
    if kind not in _ROUTES:
        raise _no_such_path(request.scope["path"])
    ways = _ROUTES[kind]
    if request.method not in ways:
        raise WrongMethod(f"{request.method} is not for this path.", f"Use {' or '.join(ways)}.")
    await ways[request.method](request, answer, whose(), name or "")


def _no_such_path(path: str) -> NotFound:
    if path.startswith(ANTHROPICS):
        return NotFound(
            "Berth has batches in OpenAI's dialect alone, not in Anthropic's.",
            f"Send the file of requests to {FILES} and {BATCHES}, with the endpoint "
            "/v1/chat/completions; or ask /v1/messages for one answer after the other.",
        )
    return NotFound("There is no such path.", f"There are {FILES} and {BATCHES}.")


async def _upload(request: Request, answer: Answer, owner: str, _name: str) -> None:
    length = uploads.require_length(request, MOST_BYTES)
    await run_in_threadpool(stored.require_room, length)
    try:
        with stored.receiving(owner) as upload:
            form = await uploads.receive(request, upload.file, MOST_BYTES)
            seconds = _asked_of(form)
            file = await run_in_threadpool(upload.keep, form.filename or "", seconds)
    except OSError as error:
        raise NoSpace(
            f"The file cannot be kept: {error.strerror}.", "Free some space on Berth's disk."
        ) from error
    await answer.json(file.described())


def _asked_of(form: uploads.Form) -> int:
    """How long the file is to be kept, in seconds, once all it says can be done."""
    purpose = form.fields.get("purpose")
    if purpose != stored.UPLOADED:
        raise WrongField(
            f"Files are kept for batches alone, and this one's purpose is “{shown(purpose or '')}”."
            if purpose
            else "The field “purpose” is missing.",
            "Send it with the purpose “batch”.",
            "purpose",
        )
    told = {
        name: form.fields[f"expires_after[{name}]"]
        for name in ("anchor", "seconds")
        if f"expires_after[{name}]" in form.fields
    }
    if not told:
        return stored.KEPT_SECONDS
    try:
        return Expiry.model_validate(told).seconds
    except ValidationError as error:
        raise wrong_field(error, told) from error


async def _files(request: Request, answer: Answer, owner: str, _name: str) -> None:
    asked = request.query_params
    every = await run_in_threadpool(stored.every, owner)
    found = [file for file in every if asked.get("purpose", file.purpose) == file.purpose]
    if asked.get("order") == "asc":
        found.reverse()
    ids = [file.id for file in found]
    begin = ids.index(asked["after"]) + 1 if asked.get("after") in ids else 0
    limit = _limit(request, MOST_FILES, MOST_FILES)
    rows = [file.described() for file in found[begin : begin + limit]]
    await answer.json(_page(rows, has_more=begin + limit < len(found)))


async def _file(_request: Request, answer: Answer, owner: str, name: str) -> None:
    await answer.json((await run_in_threadpool(stored.find, name, owner)).described())


async def _content(request: Request, answer: Answer, owner: str, name: str) -> None:
    file = await run_in_threadpool(stored.find, name, owner)
    headers = {"Cache-Control": "no-store"}
    whole = FileResponse(file.content, 200, headers, MEDIA, filename=file.filename)
    await answer.passed(whole, request)


async def _delete(_request: Request, answer: Answer, owner: str, name: str) -> None:
    await run_in_threadpool(_removed, name, owner)
    await answer.json({"id": name, "object": "file", "deleted": True})


def _removed(name: str, owner: str) -> None:
    file = stored.find(name, owner)
    store.require_unused(file)
    stored.remove(file)


async def _create(request: Request, answer: Answer, owner: str, _name: str) -> None:
    told = parsed(await read_body(request, LARGEST_BODY))
    try:
        wish = NewBatch.model_validate(told)
    except ValidationError as error:
        raise wrong_field(error, told) from error
    if wish.endpoint not in ENDPOINTS:
        said = f"Batches are not for “{shown(wish.endpoint)}”."
        raise WrongField(said, f"They are for {', '.join(ENDPOINTS)}.", "endpoint")
    if wish.completion_window != WINDOW:
        said = f"The completion_window is “{shown(wish.completion_window)}”."
        raise WrongField(said, f"It can only be “{WINDOW}”.", "completion_window")
    await answer.json(await run_in_threadpool(_created, wish, owner))


def _created(wish: NewBatch, owner: str) -> dict[str, Any]:
    file = _input(wish.input_file_id, owner)
    if model := stored.first_model(file):
        callers.check(model)
    keep = wish.output_expires_after
    seconds = keep.seconds if keep else stored.KEPT_SECONDS
    return store.create(file, wish.endpoint, wish.metadata, seconds).described()


def _input(file_id: str, owner: str) -> StoredFile:
    try:
        file = stored.find(file_id, owner)
    except NotFound as error:
        raise WrongField(error.message, error.fix, "input_file_id") from error
    if file.purpose != stored.UPLOADED:
        told = "This file has answers in it, not requests."
        raise WrongField(told, "Name one with the purpose “batch”.", "input_file_id")
    return file


async def _batches(request: Request, answer: Answer, owner: str, _name: str) -> None:
    limit = _limit(request, USUAL_BATCHES, MOST_BATCHES)
    after = request.query_params.get("after", "")
    found, has_more = await run_in_threadpool(store.page, owner, after, limit)
    await answer.json(_page([batch.described() for batch in found], has_more=has_more))


async def _batch(_request: Request, answer: Answer, owner: str, name: str) -> None:
    await answer.json((await run_in_threadpool(store.find, name, owner)).described())


async def _cancel(_request: Request, answer: Answer, owner: str, name: str) -> None:
    batch = await run_in_threadpool(lambda: store.cancel(store.find(name, owner)))
    await answer.json(batch.described())


def _limit(request: Request, usual: int, most: int) -> int:
    told = request.query_params.get("limit", str(usual))
    if not (told.isascii() and told.isdigit() and len(told) < 9 and 1 <= int(told) <= most):
        raise WrongField(
            f"The limit “{shown(told)}” cannot be used.", f"It is from 1 to {most:,}.", "limit"
        )
    return int(told)


def _page(rows: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
    return {
        "object": "list",
        "data": rows,
        "has_more": has_more,
        "first_id": first,
        "last_id": last,
    }


_ROUTES: dict[str, dict[str, Callable[..., Any]]] = {
    "files": {"GET": _files, "POST": _upload},
    "files/id": {"GET": _file, "DELETE": _delete},
    "files/id/content": {"GET": _content},
    "batches": {"GET": _batches, "POST": _create},
    "batches/id": {"GET": _batch},
    "batches/id/cancel": {"POST": _cancel},
}
