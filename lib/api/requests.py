"""/api/requests: what runs now and what was, for the owner; stop one, take the log along."""

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.api.errors import validated
from lib.core.access import Action, require
from lib.requests import export, log, running
from lib.requests.export import Format, What
from lib.requests.log import MOST_AT_ONCE, Filter

_GATHERED = 65_536  # characters that leave together


class Wanted(Filter):
    """The query of GET /api/requests."""

    before: int | None = Field(default=None, ge=1, le=2**62)  # the last answer's `next`
    limit: int = Field(default=50, ge=1, le=MOST_AT_ONCE)


class File(Filter):
    """The query of GET /api/requests/export."""

    format: Format = Format.CSV
    what: What = What.LOG


async def index(request: Request) -> Response:
    """What runs now, and the log: `key`, `who`, `model`, `outcome`, `since`, `until` choose."""
    require(Action.REQUESTS)
    wanted = validated(dict(request.query_params), Wanted)
    rows = await run_in_threadpool(log.page, wanted.chosen(), wanted.before, wanted.limit)
    return JSONResponse(
        {
            "running": [one._asdict() for one in running.every()],
            "log": [one._asdict() for one in rows],
            "next": rows[-1].number if len(rows) == wanted.limit else None,
        }
    )


async def stop(request: Request) -> Response:
    """End a request at once; its client is told so in its own dialect."""
    require(Action.REQUESTS)
    running.stop(request.path_params["id"])
    return JSONResponse({"stopped": request.path_params["id"]})


async def download(request: Request) -> Response:
    """The log, or its sums with `what=counts`, as `format=csv` or `json`; the same choices."""
    require(Action.REQUESTS)
    wanted = validated(dict(request.query_params), File)
    name = export.file_name(wanted.what, wanted.format, datetime.now())
    return StreamingResponse(
        _gathered(wanted),
        media_type=wanted.format.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _gathered(wanted: File) -> AsyncIterator[str]:
    """In pieces of a sensible size, made in a thread."""
    text: list[str] = []
    size = 0
    found = export.pieces(wanted.what, wanted.format, wanted.chosen())
    async for piece in iterate_in_threadpool(found):
        text.append(piece)
        size += len(piece)
        if size >= _GATHERED:
            yield "".join(text)
            text, size = [], 0
    yield "".join(text)


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/requests", index),
        Route("/requests/export", download),
        Route("/requests/{id}", stop, methods=["DELETE"]),
    ]
