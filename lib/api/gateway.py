"""/v1: the dialects of OpenAI and Anthropic over every running model of every engine.

Pure ASGI and outside Streamlit's own middleware, because each layer costs time on every token. A
request goes to the engine that runs the model it names; only the paths below get through, and of a
request only what the shield knows. When the client leaves, also before the first token, the
engine's request is closed at that moment.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import (
    batches,
    callers,
    demand,
    dialects,
    engine_request,
    listing,
    shield,
    speeds,
    upstreams,
)
from lib.api.answer import Answer, read_whole
from lib.api.errors import WrongMethod, read_body
from lib.api.leaving import while_wanted
from lib.api.pools import EVERYBODY, LOOKS
from lib.api.queues import Turn
from lib.api.speeds import Heard, HeardAll
from lib.api.waiting import Stage, Waiting
from lib.core import activity, http, lifecycle
from lib.core.access import Action, require
from lib.core.errors import BerthError, EngineError, NotFound
from lib.engines.base import Upstream
from lib.fleet import served, use
from lib.requests import running
from lib.requests.running import Doing, State

MODELS = "/v1/models"
ASKED = tuple(f"/v1{path}" for path in shield.DIALECTS)
_STATES: dict[str, State] = {
    Stage.QUEUE: State.WAITING,
    Stage.LOADING: State.LOADING,
    Stage.READING: State.READING,
}
WITHOUT_A_SLOT = ("/messages/count_tokens",)  # an engine does so beside its answers
PATHS = (MODELS, *ASKED, batches.FILES, batches.BATCHES)
LARGEST_BODY = 16 * 2**20  # bytes; pictures travel inside the conversation
CONNECT_SECONDS = 5.0
LOOK_SECONDS = 10.0  # so often, and so long, an engine that gives nothing is asked whether it lives
MOST_SILENCES = 6  # about two minutes
# Shorter than the engines keep theirs, so that a pooled connection is seldom a closed one.
KEEPALIVE_SECONDS = 4.0

_session: aiohttp.ClientSession | None = None


class EngineHangs(EngineError, code="engine_hangs", status=504):
    """It is there and does not react."""


class _Moved(Exception):
    """Where the model was, nobody is, or somebody else."""


class Order(NamedTuple):
    """What a client asks of a model."""

    model: str
    request: shield.Checked
    accept: str
    who: str = served.PROGRAM
    key: str = ""  # the id of the API key it came with; "" without one
    hears: Callable[[str], None] | None = None  # is told what it waits for; see waiting.Stage


class _Asked(NamedTuple):
    """An engine's answer, and what its request has lost on the way there."""

    answer: aiohttp.ClientResponse
    headers: list[tuple[bytes, bytes]]


@contextlib.asynccontextmanager
async def connections() -> AsyncIterator[None]:
    """The pool of connections to engines, open while the server runs."""
    global _session
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as _session:
        yield


class Gateway:
    """Answers what is below /v1; everything else goes on to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Failures become an answer; a client that left gets none."""
        if scope["type"] != "http" or not f"{scope['path']}/".startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        answer = Answer(send)
        answer.dialect = dialects.of(scope["path"].removeprefix("/v1"), {})
        with contextlib.suppress(ClientDisconnect), running.doing(scope["path"]) as doing:
            try:
                require(Action.CHAT)
                await _serve(Request(scope, receive), answer, doing)
            except BerthError as error:
                await answer.fail(error)
            finally:
                doing.answered(answer.status, answer.code, answer.is_complete)


async def _serve(request: Request, answer: Answer, doing: Doing) -> None:
    path = request.scope["path"]
    if path == MODELS or path.startswith(f"{MODELS}/"):
        _expect("GET", request)
        name = path.removeprefix(MODELS)[1:]
        rows = partial(listing.one, name) if name else listing.every
        await answer.json(await LOOKS.run(EVERYBODY, rows, callers.offers))
    elif batches.is_ours(path):
        await batches.serve(request, answer)
    elif path in ASKED:
        _expect("POST", request)
        order = await _order(request)
        doing.asks(order.model, order.who, order.key)
        doing.says(order.request.fields)
        answer.dialect = dialects.of(order.request.path, order.request.fields)
        order = order._replace(hears=lambda stage: doing.at(_STATES[stage]))
        work = callers.while_it_holds(order.key, _relay(order, answer))
        await while_wanted(request.receive, work, doing.ends_by)
        doing.check()
    else:
        raise NotFound("The gateway has no such path.", f"It has {', '.join(PATHS)}.")


def _expect(method: str, request: Request) -> None:
    if request.method != method:
        raise WrongMethod(request.method, method)


async def _order(request: Request) -> Order:
    fields = engine_request.read(await read_body(request, LARGEST_BODY))
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise shield.WrongField(
            'The field "model" is missing.', f"Name a model that {MODELS} lists.", "model"
        )
    model = await upstreams.exact(model)
    if doing := running.current():
        doing.names(model, *callers.whose(_who(request)))
    checked = shield.checked(request.scope["path"].removeprefix("/v1"), fields)
    who, key = callers.named(model, _who(request), batches.asks_for(request))
    return Order(model, checked, request.headers.get("accept", "*/*"), who, key)


def _who(request: Request) -> str:
    """What is the owner's and no page's is a program's, or a test of Berth's own."""
    if acting := activity.who_acts():
        return acting
    is_ours = request.headers.get("user-agent") == http.USER_AGENT
    return "Berth" if is_ours else served.PROGRAM


async def _relay(order: Order, answer: Answer) -> None:
    """Ask the engine and pass its answer on, when the model runs and its turn has come."""
    is_stream = order.request.fields.get("stream") is True
    try:
        with use.using(order.model):
            async with Waiting(answer, is_stream=is_stream, hears=order.hears) as wait:
                await _relay_in_use(order, answer, wait)
    except asyncio.CancelledError:
        if not lifecycle.is_stopping():
            raise
        raise EngineError("Berth is stopping.", "Ask again when it runs.") from None


def _hearing() -> Heard:
    """What listens to an answer; the request is shown with what it hears."""
    doing = running.current()
    heard = HeardAll() if doing and doing.keeps else Heard()
    if doing:
        doing.hears(heard)
    return heard


async def _relay_in_use(order: Order, answer: Answer, wait: Waiting) -> None:
    """Where the model is known to run; if it does so no more, where it runs now, or will.

    A connection from the pool may be one that the engine is closing, and a model may have moved
    since it was looked up: nobody is there, or somebody who does not know our key. No byte of an
    answer was seen then, so asking once more is safe.
    """
    with contextlib.suppress(_Moved):
        await _relay_to(order, answer, wait, may_move=True)
        return
    upstreams.forget(order.model)
    await _relay_to(order, answer, wait, may_move=False)


async def _relay_to(order: Order, answer: Answer, wait: Waiting, *, may_move: bool) -> None:
    to = await demand.reached(order.model, order.key, wait)
    if order.request.path in WITHOUT_A_SLOT:
        await _relay_in_turn(order, answer, to, wait, may_move=may_move)
        return
    async with Turn(to, order.model, order.key or order.who, wait):
        await _relay_in_turn(order, answer, to, wait, may_move=may_move)


async def _relay_in_turn(
    order: Order, answer: Answer, to: Upstream, wait: Waiting, *, may_move: bool
) -> None:
    wait.now(Stage.READING, partial(demand.reading, to))
    try:
        engine, answer.headers = await _asked(order, to, may_move=may_move)
        heard, is_whole = _hearing(), False
        try:
            is_whole = await _passed_on(engine, answer, heard, order, wait)
            speeds.note(heard.end, to)
        finally:
            engine.close()  # harmless after the end, when the connection is back in the pool
            if engine.ok:
                speeds.note_served(heard, to, order.model, order.who, is_whole=is_whole)
                callers.note(order.key, heard, order.request.fields)
    except aiohttp.ServerTimeoutError as error:
        raise _hangs(order) from error
    except aiohttp.ClientError as error:
        raise _gone(order) from error


async def _asked(order: Order, to: Upstream, *, may_move: bool) -> _Asked:
    try:
        asked = await _asked_in_time(order, to)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        if not may_move:
            raise
        raise _Moved from error
    if may_move and asked.answer.status == 401:
        asked.answer.close()
        raise _Moved
    return asked


async def _asked_in_time(order: Order, to: Upstream) -> _Asked:
    """The engine's headers; EngineHangs where nothing comes and it does not react at all.

    A long prompt may take minutes until its first byte. An engine that lives tells its models
    meanwhile. This task itself asks, so that it reads at once what an engine says before it dies.
    """
    me, is_hanging = asyncio.current_task(), asyncio.Event()
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        silences = 0 if await _reacts(order) else 1
        while silences < MOST_SILENCES:
            await asyncio.sleep(LOOK_SECONDS)
            silences = 0 if await _reacts(order) else silences + 1
        is_hanging.set()
        if me:
            me.cancel()

    loop = asyncio.get_running_loop()
    timer = loop.call_later(LOOK_SECONDS, lambda: watching.append(loop.create_task(watch())))
    try:
        return await _post(order, to)
    except asyncio.CancelledError:
        if me is None or not is_hanging.is_set():
            raise
        me.uncancel()
        raise _hangs(order) from None
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


async def _reacts(order: Order) -> bool:
    """Does the engine say anything, if only that it refuses?"""
    try:
        to = await upstreams.find(order.model)
        key = {"Authorization": f"Bearer {to.key.get_secret_value()}"} if to.key else {}
        async with (
            asyncio.timeout(LOOK_SECONDS),
            _client().get(f"{to.base_url.rstrip('/')}/models", headers=key, allow_redirects=False),
        ):
            return True
    except (TimeoutError, aiohttp.ClientError, BerthError):
        return False


async def _post(order: Order, to: Upstream) -> _Asked:
    """Only what an engine needs goes there: the client's own headers and key do not."""
    headers = {"Content-Type": "application/json", "Accept": order.accept}
    headers["Accept-Encoding"] = "identity"
    if to.key is not None:
        headers["Authorization"] = f"Bearer {to.key.get_secret_value()}"
    sent = shield.for_engine(order.request, to.engine, to.model)
    url = to.base_url.rstrip("/") + order.request.path
    running.at(State.READING)
    answer = await _client().post(url, data=sent.body, headers=headers, allow_redirects=False)
    return _Asked(answer, sent.headers)


def _client() -> aiohttp.ClientSession:
    if _session is None:
        raise RuntimeError("The gateway's connections are not open.")
    return _session


async def _passed_on(
    engine: aiohttp.ClientResponse, answer: Answer, heard: Heard, order: Order, wait: Waiting
) -> bool:
    """Pass the answer on; is it whole?

    The built-in engine begins its stream before it has read the prompt, and then tells nothing but
    that it is there.
    """
    if engine.content_type != "text/event-stream":
        body = await read_whole(engine.content)
        await wait.over()
        heard.whole(body)
        if engine.ok:
            answer.headers += shield.told_of_answer(order.request, body)
        await answer.whole(body, engine.content_type, engine.status)
        return True
    await answer.begin_events()
    try:
        async for chunk in engine.content.iter_any():
            if wait.is_on and not chunk.startswith(b":"):
                await wait.over()
            await answer.events(chunk)
            heard.piece(chunk)
    except aiohttp.ClientError:
        if not dialects.is_whole(answer.dialect, heard.end):
            raise
    return await _ended(answer, heard.end)


async def _ended(answer: Answer, tail: bytes) -> bool:
    """End the stream as it deserves: neatly, with the word it lacks, or not at all."""
    if dialects.tells_error(tail):  # the client has heard of it
        answer.code = dialects.kind_of_failure(tail)
        answer.break_off()
        return False
    if not answer.saw_end and not dialects.is_done(tail):
        if not dialects.is_whole(answer.dialect, tail):
            raise aiohttp.ClientPayloadError("The stream ended before its end.")
        await answer.events(b"\n\ndata: [DONE]\n\n")
    await answer.end_events()
    return True


def _hangs(order: Order) -> EngineHangs:
    return EngineHangs(
        f"The engine that runs “{order.model}” does not react.",
        "It may be busy or stuck: try again, or stop the model and start it again.",
    )


def _gone(order: Order) -> EngineError:
    return EngineError(
        f"The engine that ran “{order.model}” ended before its answer did.",
        "Start the model again and retry.",
    )
