"""/v1: the dialects of OpenAI and Anthropic over every running model of every engine.

Pure ASGI and outside Streamlit's own middleware, because each layer costs time on every token. A
request goes to the engine that runs the model it names; only the paths below get through, and of a
request only what the shield knows. When the client leaves, also before the first token, the
engine's request is closed at that moment.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, NamedTuple

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import dialects, engine_request, listing, shield, speeds, upstreams
from lib.api.answer import Answer, read_whole
from lib.api.errors import WrongMethod, read_body
from lib.api.pools import EVERYBODY, LOOKS
from lib.api.speeds import Heard
from lib.core import activity, http, lifecycle
from lib.core.access import Action, require
from lib.core.errors import BerthError, EngineError, NotFound
from lib.engines.base import Upstream
from lib.fleet import served, use

MODELS = "/v1/models"
ASKED = tuple(f"/v1{path}" for path in shield.DIALECTS)
LARGEST_BODY = 16 * 2**20  # bytes; pictures travel inside the conversation
CONNECT_SECONDS = 5.0
LOOK_SECONDS = 10.0  # so often, and so long, an engine that gives nothing is asked whether it lives
MOST_SILENCES = 6  # about two minutes
# Shorter than the engines keep theirs, so that a pooled connection is seldom a closed one.
KEEPALIVE_SECONDS = 4.0

_session: aiohttp.ClientSession | None = None


class EngineHangs(EngineError, code="engine_hangs", status=504):
    """It is there and does not react."""


class Order(NamedTuple):
    """What a client asks of a model."""

    model: str
    request: shield.Checked
    accept: str
    who: str = served.PROGRAM
    key: str = ""  # the id of the API key it came with; "" without one


class _Asked(NamedTuple):
    """An engine's answer, which engine's it is, and what its request has lost on the way there."""

    answer: aiohttp.ClientResponse
    to: Upstream
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
        with contextlib.suppress(ClientDisconnect):
            try:
                require(Action.CHAT)
                await _serve(Request(scope, receive), answer)
            except BerthError as error:
                await answer.fail(error)


async def _serve(request: Request, answer: Answer) -> None:
    path = request.scope["path"]
    if path == MODELS or path.startswith(f"{MODELS}/"):
        _expect("GET", request)
        name = path.removeprefix(MODELS)[1:]
        await answer.json(await LOOKS.run(EVERYBODY, listing.one if name else listing.every, name))
    elif path in ASKED:
        _expect("POST", request)
        order = await _order(request)
        answer.dialect = dialects.of(order.request.path, order.request.fields)
        await _while_wanted(request.receive, _relay(order, answer))
    else:
        raise NotFound("The gateway has no such path.", f"It has {', '.join((MODELS, *ASKED))}.")


def _expect(method: str, request: Request) -> None:
    if request.method != method:
        raise WrongMethod(f"{request.method} is not for this path.", f"Use {method}.")


async def _order(request: Request) -> Order:
    fields = engine_request.read(await read_body(request, LARGEST_BODY))
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise shield.WrongField(
            'The field "model" is missing.', f"Name a model that {MODELS} lists.", "model"
        )
    checked = shield.checked(request.scope["path"].removeprefix("/v1"), fields)
    return Order(model, checked, request.headers.get("accept", "*/*"), _who(request))


def _who(request: Request) -> str:
    """What is the owner's and no page's is a program's, or a test of Berth's own."""
    if acting := activity.who_acts():
        return acting
    is_ours = request.headers.get("user-agent") == http.USER_AGENT
    return "Berth" if is_ours else served.PROGRAM


async def _while_wanted(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work until it is done, the client leaves, or the server stops."""
    tasks = [
        asyncio.ensure_future(part)
        for part in (work, _departure(receive), lifecycle.stop_event().wait())
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    doing = tasks[0]
    with contextlib.suppress(asyncio.CancelledError):
        await doing


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _relay(order: Order, answer: Answer) -> None:
    """Ask the engine and pass its answer on."""
    with use.using(order.model):
        await _relay_in_use(order, answer)


async def _relay_in_use(order: Order, answer: Answer) -> None:
    try:
        engine, to, answer.headers = await _asked_in_time(order)
        heard, is_whole = Heard(), False
        try:
            is_whole = await _passed_on(engine, answer, heard, order)
            speeds.note(heard.end, to)
        finally:
            engine.close()  # harmless after the end, when the connection is back in the pool
            if engine.ok:
                speeds.note_served(heard, to, order.model, order.who, is_whole=is_whole)
    except aiohttp.ServerTimeoutError as error:
        raise _hangs(order) from error
    except aiohttp.ClientError as error:
        raise _gone(order) from error
    except asyncio.CancelledError:
        if not lifecycle.is_stopping():
            raise
        raise EngineError("Berth is stopping.", "Ask again when it runs.") from None


async def _asked_in_time(order: Order) -> _Asked:
    """The same as `_asked`; EngineHangs where nothing comes and the engine does not react at all.

    A long prompt may take minutes until its first byte. An engine that lives tells its models
    meanwhile. This task itself asks, so that it reads at once what an engine says before it dies.
    """
    me, is_hanging = asyncio.current_task(), asyncio.Event()

    async def watch() -> None:
        silences = 0
        while silences < MOST_SILENCES:
            await asyncio.sleep(LOOK_SECONDS)
            silences = 0 if await _reacts(order) else silences + 1
        is_hanging.set()
        if me:
            me.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        return await _asked(order)
    except asyncio.CancelledError:
        if me is None or not is_hanging.is_set():
            raise
        me.uncancel()
        raise _hangs(order) from None
    finally:
        watcher.cancel()


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


async def _asked(order: Order) -> _Asked:
    """The engine's answer as far as its headers, and where it comes from.

    A connection from the pool may be one that the engine is closing, and a model may have moved
    since it was looked up: nobody is there, or somebody who does not know our key. No byte of an
    answer was seen then, so asking once more is safe.
    """
    with contextlib.suppress(aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        to = await upstreams.find(order.model)
        asked = await _post(order, to)
        if asked.answer.status != 401:
            return asked
        asked.answer.close()
    upstreams.forget(order.model)
    return await _post(order, await upstreams.find(order.model))


async def _post(order: Order, to: Upstream) -> _Asked:
    """Only what an engine needs goes there: the client's own headers and key do not."""
    headers = {"Content-Type": "application/json", "Accept": order.accept}
    headers["Accept-Encoding"] = "identity"
    if to.key is not None:
        headers["Authorization"] = f"Bearer {to.key.get_secret_value()}"
    sent = shield.for_engine(order.request, to.engine, to.model)
    url = to.base_url.rstrip("/") + order.request.path
    answer = await _client().post(url, data=sent.body, headers=headers, allow_redirects=False)
    return _Asked(answer, to, sent.headers)


def _client() -> aiohttp.ClientSession:
    if _session is None:
        raise RuntimeError("The gateway's connections are not open.")
    return _session


async def _passed_on(
    engine: aiohttp.ClientResponse, answer: Answer, heard: Heard, order: Order
) -> bool:
    """Pass the answer on; is it whole?"""
    if engine.content_type != "text/event-stream":
        body = await read_whole(engine.content)
        heard.whole(body)
        if engine.ok:
            answer.headers += shield.told_of_answer(order.request, body)
        await answer.whole(body, engine.content_type, engine.status)
        return True
    await answer.begin_events()
    try:
        async for chunk in engine.content.iter_any():
            await answer.events(chunk)
            heard.piece(chunk)
    except aiohttp.ClientError:
        if not dialects.is_whole(answer.dialect, heard.end):
            raise
    return await _ended(answer, heard.end)


async def _ended(answer: Answer, tail: bytes) -> bool:
    """End the stream as it deserves: neatly, with the word it lacks, or not at all."""
    if dialects.tells_error(tail):  # the client has heard of it
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
