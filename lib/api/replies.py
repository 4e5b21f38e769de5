"""Replies on their way to the page: one WebSocket per open conversation.

Every frame is some lines, one JSON array a line: `["n", id]` begins a reply, then comes what
lib.replies keeps as the reply's own protocol, up to `["e", state]`. A new reply is on its way
before Streamlit has drawn the question. The socket is one of a browser's many; an HTTP stream
would take one of the six connections that all tabs share.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lib.api.answers import Stopped
from lib.api.news import hearing
from lib.api.operation import operation
from lib.api.pools import STOPS
from lib.api.readers import reader_of
from lib.chat import replies
from lib.chat.reply import Place, Reply
from lib.core import lifecycle
from lib.core.access import Action, require
from lib.core.errors import NotFound
from lib.sharing.gate import browser_of

GAP_SECONDS = 0.016  # one frame: what comes within it goes out together
_TEXTS, _CLOSED = ('["t", "', '["r", "'), '"]\n'  # as a line of text begins and ends
_KIND, _CLOSING = len(_TEXTS[0]), len(_CLOSED)
_CONVERSATION = re.compile(r"[0-9a-f]{32}")
_LANE = re.compile(r"[0-9]")


async def live(socket: WebSocket) -> None:
    """`/api/replies/live?c=CONVERSATION[&lane=N][&reply=ID&from=BLOCK]`: every reply as it comes.

    With `reply`, that one comes first, from the named block on, also when it is over.
    """
    require(Action.CHAT)
    conversation, owner = socket.query_params.get("c", ""), browser_of(socket.scope)
    lane = socket.query_params.get("lane", "0")
    if not _CONVERSATION.fullmatch(conversation) or not _LANE.fullmatch(lane):
        await socket.close(1008, "not a conversation")
        return
    await socket.accept()
    place = Place(conversation, owner, int(lane))
    sending = asyncio.ensure_future(_send_all(socket, place))
    try:
        await _until_it_leaves(socket)
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sending


@operation(Stopped)
async def stop(request: Request) -> Response:
    """End a reply now and keep what came."""
    require(Action.CHAT)
    owner = reader_of(request)
    reply = await STOPS.run(owner, replies.find, request.path_params["id"], owner)
    await STOPS.run(owner, reply.stop)
    return JSONResponse({"id": reply.id, "state": reply.state})


async def _until_it_leaves(socket: WebSocket) -> None:
    """Return when the page goes away or the server ends."""
    stopping = asyncio.ensure_future(lifecycle.stop_event().wait())
    try:
        while True:
            message = asyncio.ensure_future(socket.receive())
            await asyncio.wait({message, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not message.done():
                message.cancel()
                await socket.close(1012)
                return
            if message.result()["type"] == "websocket.disconnect":
                return
    finally:
        stopping.cancel()


async def _send_all(socket: WebSocket, place: Place) -> None:
    loop = asyncio.get_running_loop()
    begun: asyncio.Queue[tuple[Reply, int]] = asyncio.Queue()

    def watcher(reply: Reply) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(begun.put_nowait, (reply, 0))

    with replies.watching(place, watcher):
        if first := await asyncio.to_thread(_wanted, socket, place):
            begun.put_nowait(first)
        sent = ""
        while True:
            reply, block = await begun.get()
            if reply.id != sent:
                sent = reply.id
                await _send(socket, reply, block)


def _wanted(socket: WebSocket, place: Place) -> tuple[Reply, int] | None:
    """The reply to begin with, and the block: the one that is asked for, or the running one."""
    wanted, block = (socket.query_params.get(name, "") for name in ("reply", "from"))
    with contextlib.suppress(NotFound):
        is_number = block.isascii() and block.isdigit() and len(block) < 10
        return replies.find(wanted, place.owner), int(block) if is_number else 0
    running = replies.current(place)
    return (running, 0) if running else None


async def _send(socket: WebSocket, reply: Reply, block: int) -> None:
    """One reply to its end."""
    opening = json.dumps(["n", reply.id]) + "\n"
    async for lines in _lines(reply, block):
        await socket.send_text(opening + lines)
        opening = ""


async def _lines(reply: Reply, block: int) -> AsyncIterator[str]:
    """What is there at once, then what comes, at most once a frame."""
    at = reply.from_block(block) if block else 0
    with hearing(reply) as news:
        while True:
            news.clear()
            is_over, end = reply.is_over, len(reply.lines)
            has_begun = reply.has_begun  # the first token waits for no frame
            if at < end:
                yield "".join(_joined(reply.lines[at:end]))
                at = end
            if is_over:
                return
            if has_begun:
                await asyncio.sleep(GAP_SECONDS)
            await news.wait()


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """Neighbouring lines of text as one: what their quotes enclose may simply be put together."""
    for kind, group in itertools.groupby(lines, lambda line: line[:_KIND]):
        if kind in _TEXTS:
            yield kind + "".join(line[_KIND:-_CLOSING] for line in group) + _CLOSED
        else:
            yield from group


def routes() -> list[Route]:
    """The HTTP routes of this module, relative to /api."""
    return [Route("/replies/{id}/stop", stop, methods=["POST"])]


def sockets() -> list[WebSocketRoute]:
    """Its WebSocket, likewise."""
    return [WebSocketRoute("/replies/live", live)]
