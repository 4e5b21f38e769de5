"""Replies on their way to the page, and questions from it: one WebSocket per open conversation.

Every frame is some lines, one JSON array a line: `["n", id, question]` begins a reply, then comes
what lib.chat.reply keeps as the reply's own protocol, up to `["e", state]`. The socket is one of a
browser's many; an HTTP stream would take one of the six connections that all tabs share.

The page sends its questions the same way, as `Asking`, and Streamlit hears of them afterwards. The
answer is the reply itself, or `["k", question, conversation]` where it was asked before, or
`["x", question, code, message, fix]` where nothing was asked.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lib.api.answers import Stopped
from lib.api.news import hearing
from lib.api.operation import operation
from lib.api.pools import STOPS
from lib.api.readers import reader_of
from lib.chat import replies, standing
from lib.chat.conversations import LONGEST_TEXT
from lib.chat.reply import Place, Reply
from lib.chat.standing import Question
from lib.core import lifecycle
from lib.core.access import Action, require
from lib.core.errors import BadInput, BerthError, NotFound
from lib.sharing.gate import browser_of

GAP_SECONDS = 0.016  # one frame: what comes within it goes out together
COMES_BACK_SECONDS = 30.0
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
    line = _Line(socket, Place(conversation, owner, int(lane)))
    sending = asyncio.ensure_future(line.send_all())
    try:
        await line.listen()
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sending
        line.leave()


@operation(Stopped)
async def stop(request: Request) -> Response:
    """End a reply now and keep what came."""
    require(Action.CHAT)
    owner = reader_of(request)
    reply = await STOPS.run(owner, replies.find, request.path_params["id"], owner)
    await STOPS.run(owner, reply.stop)
    return JSONResponse({"id": reply.id, "state": reply.state})


class Asking(BaseModel):
    """What a page sends: a question, to go on from what its last run left under the token."""

    ask: str  # the question's id
    token: str
    text: str
    again: bool = False


class _Line:
    """One page's socket."""

    def __init__(self, socket: WebSocket, place: Place) -> None:
        self._socket = socket
        self._place = place
        self._own: set[str] = set()  # the questions that came over it
        self._begun: deque[tuple[Reply, int]] = deque()
        self._news = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._sent: Reply | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take questions, until the page goes away or the server ends."""
        stopping = asyncio.ensure_future(lifecycle.stop_event().wait())
        try:
            while True:
                message = asyncio.ensure_future(self._socket.receive())
                await asyncio.wait({message, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not message.done():
                    message.cancel()
                    await self._socket.close(1012)
                    return
                if message.result()["type"] == "websocket.disconnect":
                    return
                self._take(str(message.result().get("text") or ""))
        finally:
            stopping.cancel()

    def _take(self, raw: str) -> None:
        """Ask in a task of its own; it goes on where the page leaves meanwhile."""
        task = asyncio.ensure_future(self._ask(raw))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, raw: str) -> None:
        try:
            asking = Asking.model_validate_json(raw)
        except ValidationError:
            return  # not from our page
        self._own.add(asking.ask)
        try:
            before = await STOPS.run(self._place.owner, _begin, asking, self._place)
            told = ["k", asking.ask, before] if before else []
        except BerthError as error:
            told = ["x", asking.ask, error.code, error.message, error.fix]
        if told:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.send_text(json.dumps(told) + "\n")

    async def send_all(self) -> None:
        """Every reply as it begins; one that was asked for here waits for nobody else's."""
        loop, sent = asyncio.get_running_loop(), ""

        def watcher(reply: Reply) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(self._hear_of, reply, 0)

        with replies.watching(self._place, watcher):
            if first := await asyncio.to_thread(_wanted, self._socket, self._place):
                self._hear_of(*first)
            while True:
                await self._news.wait()
                reply, block = self._begun.popleft()
                if not self._begun:
                    self._news.clear()
                if reply.id != sent:
                    sent = reply.id
                    await self._send_until_overtaken(reply, block)

    def _hear_of(self, reply: Reply, block: int) -> None:
        if self._is_own(reply):
            self._begun.appendleft((reply, block))
            if self._sending and not self._is_own(self._sent):
                self._sending.cancel()
        else:
            self._begun.append((reply, block))
        self._news.set()

    async def _send_until_overtaken(self, reply: Reply, block: int) -> None:
        self._sent, self._sending = reply, asyncio.ensure_future(self._send(reply, block))
        try:
            await asyncio.wait({self._sending})
            if not self._sending.cancelled():
                self._sending.result()
        finally:
            self._sending.cancel()
            self._sending = None

    async def _send(self, reply: Reply, block: int) -> None:
        """One reply to its end."""
        opening = json.dumps(["n", reply.id, *reply.request.turns[-1:]]) + "\n"
        async for lines in _lines(reply, block):
            await self._socket.send_text(opening + lines)
            opening = ""

    def _is_own(self, reply: Reply | None) -> bool:
        return reply is not None and bool(self._own.intersection(reply.request.turns[-1:]))

    def leave(self) -> None:
        """After a while nobody can ask here any more, unless the page has come back."""
        if self._place.lane == 0:
            loop = asyncio.get_running_loop()
            loop.call_later(COMES_BACK_SECONDS, _left, self._place)


def _begin(asking: Asking, place: Place) -> str:
    """The conversation in which this was asked before; empty where it begins now."""
    try:
        question = Question(
            id=asking.ask,
            conversation=place.conversation,
            owner=place.owner,
            text=asking.text.strip(),
            is_again=asking.again,
        )
    except ValidationError:
        raise BadInput(
            f"A message has 1 to {LONGEST_TEXT:,} characters.",
            "Shorten it, or attach it as a file.",
        ) from None
    is_new = standing.ask(asking.token, question)
    return "" if is_new else standing.conversation_of(question)


def _left(place: Place) -> None:
    if not replies.is_watched(place):
        standing.leave(place.conversation, place.owner)


def _wanted(socket: WebSocket, place: Place) -> tuple[Reply, int] | None:
    """The reply to begin with, and the block: the one that is asked for, or the running one."""
    wanted, block = (socket.query_params.get(name, "") for name in ("reply", "from"))
    with contextlib.suppress(NotFound):
        is_number = block.isascii() and block.isdigit() and len(block) < 10
        return replies.find(wanted, place.owner), int(block) if is_number else 0
    running = replies.current(place)
    return (running, 0) if running else None


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
