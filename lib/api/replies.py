"""The reply's own stream: one JSON array a line, read by the chat page's live element."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib import lifecycle, replies
from lib.replies import Reply

GAP_SECONDS = 0.016  # one frame: what comes within it goes out together
KEEP_ALIVE_SECONDS = 10.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def stream(request: Request) -> Response:
    """`GET /api/replies/{id}/stream?from=N`: the reply from block N on, to its end."""
    first = request.query_params.get("from", "0")
    reply = _mine(request)
    block = int(first) if first.isascii() and first.isdigit() and len(first) < 10 else 0
    # An event stream by its type, because that one is never compressed and so never held back.
    return StreamingResponse(_lines(reply, block), media_type="text/event-stream", headers=HEADERS)


async def stop(request: Request) -> Response:
    """`POST /api/replies/{id}/stop`: end it now and keep what came."""
    reply = _mine(request)
    await asyncio.to_thread(reply.stop)
    return JSONResponse({"id": reply.id, "state": reply.state})


def _mine(request: Request) -> Reply:
    return replies.find(request.path_params["id"], request.scope.get("berth.browser", ""))


async def _lines(reply: Reply, block: int) -> AsyncIterator[str]:
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have closed under a late reply
            loop.call_soon_threadsafe(news.set)

    stopping = lifecycle.stop_event()
    with reply.listening(wake):
        at = reply.from_block(block) if block else 0
        while not stopping.is_set():
            news.clear()
            is_over, end = reply.is_over, len(reply.lines)
            if at < end:
                yield "".join(reply.lines[at:end])
                at = end
            if is_over:
                return
            await asyncio.sleep(GAP_SECONDS)
            if not news.is_set() and not await _within(news, stopping):
                yield "\n"


async def _within(news: asyncio.Event, stopping: asyncio.Event) -> bool:
    """Whether there was news, or an end, before the connection needed a sign of life."""
    waits = [asyncio.ensure_future(event.wait()) for event in (news, stopping)]
    done, _ = await asyncio.wait(
        waits, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    for wait in waits:
        wait.cancel()
    return bool(done)


def routes() -> list[Route]:
    """The routes of this module, relative to /api."""
    return [
        Route("/replies/{id}/stream", stream),
        Route("/replies/{id}/stop", stop, methods=["POST"]),
    ]
