"""/api/chat: ask a model, and get its reply as events or whole.

The reply is one of lib/chat, with its limits for guests, its spool and its life in a thread of its
own. Whoever asked gets it here; when they leave, the engine's work ends, unless they wished it to
go on. What came is kept as long as somebody may come back for it: `Last-Event-ID` goes on from
there. Of a reply that was handed over whole, nothing is kept.
"""

import asyncio
import re
import secrets
from typing import NamedTuple

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api import chat_events
from lib.api.answers import Failed, Stopped
from lib.api.chat_events import EventStream, Place
from lib.api.chat_models import Begun, Chat, Ended, NowIn, Piece, Whole
from lib.api.errors import read_model, read_query
from lib.api.leaving import while_wanted
from lib.api.news import hearing
from lib.api.operation import ENGINES, EVENTS, operation
from lib.api.pools import STOPS
from lib.api.readers import PROGRAMS, reader_of
from lib.chat import replies
from lib.chat.reply import FAILED, Reply, ReplyState
from lib.core.access import Action, require
from lib.core.errors import BadInput, CannotRun, EngineDown, EngineError, NoSpace, TooLong
from lib.fleet import served
from lib.sharing.limits import TooMany

LARGEST_BODY = 16 * 2**20  # bytes; pictures travel inside the conversation
MOST_AT_ONCE = 32  # replies of one asker
REFUSAL_SECONDS = 1.0  # so long a stream's headers wait for an engine that refuses at once
STREAM = {
    "start": Begun,
    "state": NowIn,
    "reasoning": Piece,
    "text": Piece,
    "end": Ended,
    "error": Failed,
}
QUESTION = {
    "model": "qwen2.5-0.5b-instruct-q4_k_m",
    "messages": [{"role": "user", "content": "Name a colour."}],
    "options": {"temperature": 0.2, "max_tokens": 64},
}
ANSWER = {
    "id": "2e2aa570564d9e32f3001e1045256700",
    "model": QUESTION["model"],
    "engine": "llamacpp",
    "state": "done",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 12, "completion_tokens": 2},
    "timings": {"first_token_seconds": 0.2, "seconds": 0.3, "tokens_per_second": 31.0},
    "schema_problem": None,
    "message": {"role": "assistant", "content": "Blue.", "reasoning": ""},
}
ID = r"^[0-9a-f]{32}\.[0-9]{1,8}\.[0-9]{1,8}$"
_PLACE = re.compile(r"([0-9a-f]{32})\.([0-9]{1,8})\.([0-9]{1,8})")


class ComesBack(BaseModel):
    """The header of a client that was cut off."""

    last_event_id: str = Field(
        default="",
        pattern=ID,
        description="The id of the last event that arrived: nothing is asked anew.",
    )


class HowMuch(BaseModel):
    """Of a reply that is there."""

    stream: bool = Field(default=True, description="false: what there is now, as JSON.")


class Came(NamedTuple):
    """Where a client goes on."""

    reply: Reply
    at: Place


@operation(
    Whole,
    body=Chat,
    headers=ComesBack,
    events=STREAM,
    errors=(*ENGINES, NoSpace, TooLong, CannotRun, TooMany),
    example=QUESTION,
    gives=ANSWER,
)
async def ask(request: Request) -> Response:
    """Ask a model: the reply as events while it is written, or whole with `"stream": false`.

    A model that does not run is loaded first; the events `state` say so. Every event has an id. A
    client that was cut off sends the last one as Last-Event-ID, with the same body, and gets what
    it has missed. A stream without the event `end` is not whole: after `error` the connection is
    broken off. A client that leaves ends the engine's work, unless `when_left` is `go_on`.
    """
    require(Action.CHAT)
    asked = await read_model(request, Chat, LARGEST_BODY)
    owner = reader_of(request)
    came = await _came_back(request, owner)
    if came:
        return await _answer(request, came, asked.stream)
    reply = await _begun(asked, owner)
    is_kept = asked.when_left == "go_on"
    if not asked.stream:
        return await _whole(request, reply, is_kept)
    if not await while_wanted(request.receive, _settled(reply)):
        await _left(reply, is_kept)
        raise _stopping()
    if reply.error and not chat_events.has_written(reply):
        await STOPS.run(owner, replies.forget, reply)
        raise reply.error
    return EventStream(reply, chat_events.beginning(reply), ends_with_client=not is_kept)


@operation(Whole, query=HowMuch, headers=ComesBack, events=STREAM)
async def again(request: Request) -> Response:
    """The reply that is being written or was kept, from Last-Event-ID on, or from its beginning.

    Leaving this stream ends nothing. Kept are replies that were cut off, and those with
    `"when_left": "go_on"`.
    """
    require(Action.CHAT)
    owner, wanted = reader_of(request), request.path_params["id"]
    came = await _came_back(request, owner)
    if came is None or came.reply.id != wanted:
        reply = await STOPS.run(owner, replies.find, wanted, owner)
        came = Came(reply, chat_events.beginning(reply))
    return await _answer(request, came, read_query(request, HowMuch).stream)


@operation(Stopped)
async def forget(request: Request) -> Response:
    """End the reply, and keep nothing of it."""
    require(Action.CHAT)
    owner = reader_of(request)
    reply = await STOPS.run(owner, replies.find, request.path_params["id"], owner)
    await STOPS.run(owner, replies.forget, reply)
    return JSONResponse({"id": reply.id, "state": reply.state})


async def _begun(asked: Chat, owner: str) -> Reply:
    if len(replies.under_way(owner)) >= MOST_AT_ONCE:
        raise TooMany(f"{MOST_AT_ONCE} replies are being written for you.", "Wait for one of them.")
    wish = asked.request(secrets.token_hex(16), owner)
    who = served.PROGRAM if owner == PROGRAMS else None
    return await STOPS.run(owner, replies.start, wish, None, who)


async def _came_back(request: Request, owner: str) -> Came | None:
    """The reply and the place that Last-Event-ID names; None where it names none."""
    told = request.headers.get("last-event-id", "")
    if not told:
        return None
    named = _PLACE.fullmatch(told)
    if not named:
        raise BadInput("Last-Event-ID is none of this stream's.", "Send the id of an event.")
    reply = await STOPS.run(owner, replies.find, named[1], owner)
    return Came(reply, Place(int(named[2]), int(named[3])))


async def _answer(request: Request, came: Came, is_stream: bool) -> Response:
    if not is_stream:
        return JSONResponse((await chat_events.whole(came.reply)).model_dump(mode="json"))
    if request.method == "HEAD":
        return Response(media_type=EVENTS, headers=chat_events.HEADERS)
    return EventStream(came.reply, came.at)


async def _whole(request: Request, reply: Reply, is_kept: bool) -> Response:
    if not await while_wanted(request.receive, _over(reply)):
        await _left(reply, is_kept)
        raise _stopping()
    told = await chat_events.whole(reply)
    if not is_kept:
        await STOPS.run(reply.request.owner, replies.forget, reply)
    if reply.state == ReplyState.FAILED:
        raise reply.error or EngineError(FAILED)
    return JSONResponse(told.model_dump(mode="json"))


async def _left(reply: Reply, is_kept: bool) -> None:
    """Whoever asked has gone."""
    if not is_kept:
        await asyncio.shield(STOPS.run(reply.request.owner, reply.stop))


def _stopping() -> EngineDown:
    return EngineDown("Berth is stopping.", "Ask again when it runs.")


async def _over(reply: Reply) -> None:
    with hearing(reply) as news:
        while not reply.is_over:
            await news.wait()
            news.clear()


async def _settled(reply: Reply) -> None:
    """Return when it is known what status the answer has; an engine may refuse at once."""
    with hearing(reply) as news:
        while not reply.is_over and not chat_events.waits_long(reply):
            is_asked = reply.state == ReplyState.THINKING
            try:
                await asyncio.wait_for(news.wait(), REFUSAL_SECONDS if is_asked else None)
            except TimeoutError:
                return
            news.clear()


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/chat", ask, methods=["POST"]),
        Route("/chat/{id}", again),
        Route("/chat/{id}", forget, methods=["DELETE"]),
    ]
