"""Streams of the fake Ollama: lines that are written as they come, and whom they went to."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from tests.support.fake_ollama.go import Answer, bare, dumped
from tests.support.fake_ollama.world import Call

CUT = {"status": "cut"}  # not sent: here a stream ends without a word

Line = dict[str, Any]
Lines = AsyncGenerator[Line, None]


async def ndjson(request: web.Request, lines: Lines) -> web.StreamResponse:
    """The lines as they come."""
    return await _sent(request, lines, "application/x-ndjson", lambda line: f"{dumped(line)}\n")


async def events(request: web.Request, lines: Lines) -> web.StreamResponse:
    """The lines as events, and `[DONE]` after the last."""

    def event(line: Line) -> str:
        return "data: [DONE]\n\n" if not line else f"data: {dumped(line)}\n\n"

    return await _sent(request, lines, "text/event-stream", event)


async def gathered(lines: Lines) -> list[Line]:
    """All lines of an answer that is not streamed; Answer where the last is an error."""
    told = [line async for line in lines]
    if "error" in told[-1]:
        raise Answer(500, told[-1]["error"])
    return told


async def last(lines: Lines) -> web.Response:
    """The last line alone, as an answer of its own."""
    told = [line async for line in lines][-1]
    return bare(told, 500 if "error" in told else 200)


async def _sent(request: web.Request, lines: Lines, kind: str, written: Any) -> web.StreamResponse:
    call: Call = request["call"]
    response = web.StreamResponse(headers={"Content-Type": kind})
    try:
        async for line in lines:
            if line == CUT:
                call.ended = "broken"
                break
            if not response.prepared:  # the headers wait for the first line, as the real ones do
                await response.prepare(request)
            await response.write(written(line).encode())
        else:
            call.ended = "done"
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
    except (asyncio.CancelledError, ConnectionError):
        call.ended = "left"
        raise
    finally:
        await lines.aclose()
    return response
