"""/v1: the OpenAI dialect over every running model of every engine.

Pure ASGI and outside Streamlit's own middleware, because each layer costs time on every token. A
request goes to the engine that runs the model it names; only the paths below get through. When
the client leaves, also before the first token, the engine's request is closed at that moment.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, NamedTuple

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import engine_request, speeds, upstreams
from lib.api.answer import Answer
from lib.api.errors import WrongMethod, read_body
from lib.api.pools import EVERYBODY, LOOKS
from lib.api.speeds import Heard
from lib.core import activity, http, lifecycle
from lib.core.access import Action, require
from lib.core.errors import (
    BadInput,
    BerthError,
    EngineError,
    NotFound,
)
from lib.engines import all_models
from lib.engines.base import State, Upstream
from lib.fleet import served, use

MODELS = "/v1/models"
COMPLETIONS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank")
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

    path: str  # below /v1
    model: str
    fields: dict[str, Any]
    body: bytes  # the same, as it came
    accept: str
    who: str = served.PROGRAM


class _Asked(NamedTuple):
    """An engine's answer, and which engine's it is."""

    answer: aiohttp.ClientResponse
    to: Upstream


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
        with contextlib.suppress(ClientDisconnect):
            try:
                require(Action.CHAT)
                await _serve(Request(scope, receive), answer)
            except BerthError as error:
                await answer.fail(error)


async def _serve(request: Request, answer: Answer) -> None:
    path = request.scope["path"]
    if path == MODELS:
        _expect("GET", request)
        await answer.json(await LOOKS.run(EVERYBODY, _listing))
    elif path in COMPLETIONS:
        _expect("POST", request)
        order = await _order(request)
        await _while_wanted(request.receive, _relay(order, answer))
    else:
        raise NotFound(
            "The gateway has no such path.", f"It has {', '.join((MODELS, *COMPLETIONS))}."
        )


def _expect(method: str, request: Request) -> None:
    if request.method != method:
        raise WrongMethod(f"{request.method} is not for this path.", f"Use {method}.")


def _listing() -> dict[str, Any]:
    """Every running model of every engine, in OpenAI's shape."""
    running = [model for model in all_models() if model.state == State.READY]
    data = [
        {
            "id": model.name,
            "object": "model",
            "created": int(model.started_at or 0),
            "owned_by": model.engine,
        }
        for model in running
    ]
    return {"object": "list", "data": data}


async def _order(request: Request) -> Order:
    body = await read_body(request, LARGEST_BODY)
    fields = engine_request.read(body)
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise BadInput('The field "model" is missing.', f"Name a model that {MODELS} lists.")
    path = request.scope["path"].removeprefix("/v1")
    return Order(path, model, fields, body, request.headers.get("accept", "*/*"), _who(request))


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
        engine, to = await _asked_in_time(order)
        heard, is_whole = Heard(), False
        try:
            await _passed_on(engine, answer, heard)
            is_whole = True
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
        answer = await _post(order, to)
        if answer.status != 401:
            return _Asked(answer, to)
        answer.close()
    upstreams.forget(order.model)
    to = await upstreams.find(order.model)
    return _Asked(await _post(order, to), to)


async def _post(order: Order, to: Upstream) -> aiohttp.ClientResponse:
    """Only what an engine needs goes there: the client's own headers and key do not."""
    headers = {"Content-Type": "application/json", "Accept": order.accept}
    headers["Accept-Encoding"] = "identity"
    if to.key is not None:
        headers["Authorization"] = f"Bearer {to.key.get_secret_value()}"
    body = order.body
    if to.model != order.model:
        body = json.dumps({**order.fields, "model": to.model}).encode()
    url = to.base_url.rstrip("/") + order.path
    return await _client().post(url, data=body, headers=headers, allow_redirects=False)


def _client() -> aiohttp.ClientSession:
    if _session is None:
        raise RuntimeError("The gateway's connections are not open.")
    return _session


async def _passed_on(engine: aiohttp.ClientResponse, answer: Answer, heard: Heard) -> None:
    """Pass the answer on."""
    if engine.content_type != "text/event-stream":
        body = await engine.read()
        heard.whole(body)
        await answer.whole(body, engine.content_type, engine.status)
        return
    await answer.begin_events()
    async for chunk in engine.content.iter_any():
        await answer.events(chunk)
        heard.piece(chunk)
    if not heard.end.rstrip().endswith(b"data: [DONE]"):
        raise aiohttp.ClientPayloadError("The stream ended before its end.")
    await answer.end_events()


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
