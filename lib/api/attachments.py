"""/api/attachments: files that are put into a conversation's next message.

Reading a file and counting its tokens blocks, so both run in threads of their own.
"""

import binascii
import contextlib
from functools import partial
from typing import Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api.answers import AttachmentRemoved
from lib.api.errors import read_model
from lib.api.operation import operation
from lib.api.pools import DOCUMENTS, DRAFTS
from lib.chat import attachments
from lib.chat.attachments import Attachment, Count
from lib.chat.documents import LARGEST_FILE
from lib.core.access import Action, require
from lib.core.errors import BadInput, Conflict, NoSpace, NotFound
from lib.engines import engine_of, find_model, pictures
from lib.fit.picture import Picture
from lib.sharing.gate import browser_of

LARGEST_BODY = LARGEST_FILE * 4 // 3 + 65_536  # bytes; the file as base64, and its name


class Upload(BaseModel):
    """A file as a page sends it; what it is, its content tells."""

    name: str = Field(default="", max_length=20_000)
    type: str = Field(default="", max_length=1_000)
    data: str = Field(max_length=LARGEST_BODY, description="The file's bytes, as base64.")


class InConversation(BaseModel):
    """Which message the files are for."""

    c: str = Field(default="", description="The id of a conversation: 32 hexadecimal digits.")
    m: str = Field(default="", description="engine/name of the model whose tokens are counted.")


class Shown(BaseModel):
    """A file that waits to be sent."""

    id: str
    name: str
    kind: Literal["text", "image"]
    tokens: int
    is_estimate: bool
    characters: int = Field(description="Of its text.")
    problem: str = Field(description="What may be missing in it; empty where nothing is.")


class AllListed(BaseModel):
    """In the order in which they were added."""

    attachments: list[Shown]


@operation(
    Shown,
    body=Upload,
    query=InConversation,
    errors=(Conflict, NoSpace),
    example={"name": "notes.txt", "type": "text/plain", "data": "SGVsbG8="},
)
async def add(request: Request) -> Response:
    """Put a file into the next message of conversation `c`; `m` (engine/name) counts its tokens."""
    require(Action.CHAT)
    upload = await read_model(request, Upload, LARGEST_BODY)
    owner, conversation = _place(request)
    added = await DOCUMENTS.run(owner, _added, upload, owner, conversation, _model(request))
    return JSONResponse(_described(added))


@operation(AllListed, query=InConversation, errors=(NotFound,))
async def index(request: Request) -> Response:
    """The files that wait to be sent in conversation `c`, with the tokens of model `m`."""
    require(Action.CHAT)
    owner, conversation = _place(request)
    found = await DRAFTS.run(owner, _listed, owner, conversation, _model(request))
    return JSONResponse({"attachments": [_described(draft) for draft in found]})


@operation(AttachmentRemoved, query=InConversation, errors=(NotFound,))
async def remove(request: Request) -> Response:
    """Take a file out of conversation `c`."""
    require(Action.CHAT)
    attachment_id = request.path_params["id"]
    owner, conversation = _place(request)
    await DRAFTS.run(owner, attachments.remove, owner, conversation, attachment_id)
    return JSONResponse({"removed": attachment_id})


def _added(upload: Upload, owner: str, conversation: str, model: str) -> Attachment:
    try:
        data = binascii.a2b_base64(upload.data, strict_mode=True)
    except ValueError:
        raise BadInput("The file is not base64.", "Encode its bytes and send it again.") from None
    count, sees = _counter(model), _sight(model)
    return attachments.add(owner, conversation, upload.name, data, count, model, sees)


def _listed(owner: str, conversation: str, model: str) -> list[Attachment]:
    if not model:
        return attachments.drafts(owner, conversation)
    return attachments.recounted(owner, conversation, model, _counter(model))


def _counter(key: str) -> Count:
    """The tokenizer of the model `engine/name`; one that counts nothing where there is none."""
    engine, _, name = key.partition("/")
    with contextlib.suppress(BadInput, NotFound):
        return partial(engine_of(find_model(name, engine)).count, name)
    return lambda _text: None


def _sight(key: str) -> Picture | None:
    """What the model `engine/name` looks at of a picture; None where nobody can tell."""
    engine, _, name = key.partition("/")
    with contextlib.suppress(BadInput, NotFound):
        return pictures.seen(find_model(name, engine))
    return None


def _place(request: Request) -> tuple[str, str]:
    return browser_of(request.scope), request.query_params.get("c", "")


def _model(request: Request) -> str:
    return request.query_params.get("m", "")


def _described(draft: Attachment) -> dict[str, object]:
    return draft.model_dump(exclude={"created", "counted_by"})


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/attachments", index),
        Route("/attachments", add, methods=["POST"]),
        Route("/attachments/{id}", remove, methods=["DELETE"]),
    ]
