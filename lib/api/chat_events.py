"""A reply as server-sent events, and whole.

The id of an event is the reply's own, how much of its reasoning was sent, and how much of its text,
in characters: so a client may go on anywhere, also after a restart of the server.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lib.api.answers import Failed, Failure
from lib.api.chat_models import Begun, Counted, Ended, NowIn, Piece, Timings, Whole, Written
from lib.api.leaving import while_wanted
from lib.api.news import hearing
from lib.api.operation import EVENTS
from lib.api.pools import STOPS
from lib.chat import replies, schema_check
from lib.chat.reply import Problem, Reply, ReplyState
from lib.sharing import for_guests

GAP_SECONDS = 0.016  # what comes within one frame goes out together
KEEP_ALIVE_SECONDS = 10.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_WHOLE = (ReplyState.DONE, ReplyState.STOPPED)
_LONG = (ReplyState.WAITING, ReplyState.STREAMING)
_INTERRUPTED = Problem(
    message="Berth ended while this was written.", fix="Ask again.", code="interrupted"
)


class Place(NamedTuple):
    """How much was sent, in characters."""

    thoughts: int = 0
    words: int = 0


def beginning(reply: Reply) -> Place:
    """Where a reply begins: what it goes on from is the client's own."""
    return Place(0, len(reply.request.beginning))


def has_written(reply: Reply) -> bool:
    """Is there anything new in it?"""
    return bool(reply.reasoning) or len(reply.text) > beginning(reply).words


def waits_long(reply: Reply) -> bool:
    """Does it stream, or wait for something that the client should hear of?"""
    is_loading = reply.state == ReplyState.LOADING and _has_told(reply, ReplyState.LOADING)
    return is_loading or reply.state in _LONG


def _has_told(reply: Reply, state: ReplyState) -> bool:
    return json.dumps(["s", state]) + "\n" in reply.lines


class EventStream(Response):
    """Sends the reply from a place on; without its end, where it has none, or none comes."""

    def __init__(self, reply: Reply, at: Place, *, ends_with_client: bool = False) -> None:
        super().__init__(headers=HEADERS, media_type=EVENTS)
        del self.headers["content-length"]
        self._reply, self._at, self._ends_with_client = reply, at, ends_with_client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is over, or the client leaves."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        with contextlib.suppress(OSError):  # the client has gone
            await while_wanted(receive, self._send_all(send))
        if self._ends_with_client and not self._reply.is_over:
            await self._on_pool(self._reply.stop)

    async def _send_all(self, send: Send) -> None:
        async for text in events(self._reply, self._at):
            body = text.encode("utf-8", "replace")
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if self._reply.state in _WHOLE:
            await send({"type": "http.response.body", "body": b""})
            if self._ends_with_client:
                await self._on_pool(lambda: replies.forget(self._reply))

    async def _on_pool(self, act: Callable[[], None]) -> None:
        await asyncio.shield(STOPS.run(self._reply.request.owner, act))


async def events(reply: Reply, at: Place) -> AsyncIterator[str]:
    """What is there at once, then what comes, at most once a frame; silence is never long."""
    thoughts, words = at
    state, asked = "", reply.request
    first = Begun(id=reply.id, model=asked.model, engine=reply.engine)
    text = _event("start", first, f"{reply.id}.{thoughts}.{words}")
    with hearing(reply) as news:
        while True:
            news.clear()
            is_over, now = reply.is_over, reply.state
            if now != state and not is_over:
                state = now
                text += _event("state", NowIn(state=now))
            if thought := reply.reasoning[thoughts:]:
                thoughts += len(thought)
                place = f"{reply.id}.{thoughts}.{words}"
                text += _event("reasoning", Piece(text=thought), place)
            if said := reply.text[words:]:
                words += len(said)
                text += _event("text", Piece(text=said), f"{reply.id}.{thoughts}.{words}")
            if text and not is_over:
                yield text
            if is_over:
                yield text + await _closing(reply)
                return
            text = await _next(reply, news)


async def _next(reply: Reply, news: asyncio.Event) -> str:
    """Wait for news; a comment where none come for long."""
    if reply.text or reply.reasoning:
        await asyncio.sleep(GAP_SECONDS)
    try:
        await asyncio.wait_for(news.wait(), KEEP_ALIVE_SECONDS)
    except TimeoutError:
        return ": still here\n\n"
    return ""


async def _closing(reply: Reply) -> str:
    if reply.state in _WHOLE:
        return _event("end", await ended(reply))
    return _event("error", Failed(error=_failure(reply)))


def _failure(reply: Reply) -> Failure:
    """Why the reply has no end, as whoever acts now may read it."""
    found = reply.problem or _INTERRUPTED
    message = for_guests.told(found.message, for_guests.OTHERWISE)
    return Failure(code=found.code or "error", message=message, fix=for_guests.told(found.fix))


async def ended(reply: Reply) -> Ended:
    """What is told at the end."""
    figures, schema = reply.figures, reply.request.options.json_schema
    checks = schema is not None and reply.state == ReplyState.DONE
    found = await asyncio.to_thread(schema_check.check, _new(reply), schema or {}) if checks else ""
    return Ended(
        id=reply.id,
        model=reply.request.model,
        engine=reply.engine,
        state=reply.state,
        finish_reason=figures.finish_reason,
        usage=Counted(
            prompt_tokens=figures.prompt_tokens, completion_tokens=figures.completion_tokens
        ),
        timings=Timings(
            first_token_seconds=figures.first_token_seconds,
            reasoning_seconds=figures.reasoning_seconds,
            seconds=figures.seconds,
            tokens_per_second=figures.tokens_per_second,
        ),
        schema_problem=None if found in ("", schema_check.OK) else found,
    )


async def whole(reply: Reply) -> Whole:
    """The same with all that was written so far."""
    told = await ended(reply)
    message = Written(content=_new(reply), reasoning=reply.reasoning)
    return Whole(**dict(told), message=message)


def _new(reply: Reply) -> str:
    return reply.text[beginning(reply).words :]


def _event(name: str, data: BaseModel, number: str = "") -> str:
    """One event; its data is one line of JSON."""
    place = f"id: {number}\n" if number else ""
    text = json.dumps(data.model_dump(mode="json"), ensure_ascii=False)
    return f"{place}event: {name}\ndata: {text}\n\n"
