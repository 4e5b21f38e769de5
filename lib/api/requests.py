"""/api/requests: what runs now and what was, for the owner; stop one, take the log along."""

from collections.abc import AsyncIterator
from datetime import datetime
from types import GenericAlias
from typing import Annotated, Any

from pydantic import Field, create_model
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.api.errors import read_query
from lib.api.operation import JSON, as_object, operation
from lib.core.access import Action, require
from lib.core.values import Frozen
from lib.requests import export, log, running
from lib.requests.export import Format, What
from lib.requests.log import MOST_AT_ONCE, Filter, Row
from lib.requests.running import Running

_GATHERED = 65_536  # characters that leave together


class Wanted(Filter):
    """Which requests of the log; running ones are always all told."""

    before: Annotated[int, Field(ge=1, le=2**62)] | SkipJsonSchema[None] = Field(
        default=None, description="The `next` of the answer before."
    )
    limit: int = Field(default=50, ge=1, le=MOST_AT_ONCE)


class File(Filter):
    """Which requests, and as what."""

    format: Format = Format.CSV
    what: What = Field(default=What.LOG, description="counts: sums by day, key and model.")


_TOLD: dict[str, Any] = {
    "running": (GenericAlias(list, as_object(Running)), ...),
    "log": (GenericAlias(list, as_object(Row)), ...),
    "next": (int | None, Field(description="For `before`; null where the log ends here.")),
}
TOLD = create_model("Told", __doc__="What runs now, and a page of the log.", **_TOLD)


class Ended(Frozen):
    """The request's client was told, and the engine's work ends."""

    stopped: str


@operation(TOLD, query=Wanted)
async def index(request: Request) -> Response:
    """Which requests run now, and the log of those that are over, the newest first."""
    require(Action.REQUESTS)
    wanted = read_query(request, Wanted)
    rows = await run_in_threadpool(log.page, wanted.chosen(), wanted.before, wanted.limit)
    return JSONResponse(
        {
            "running": [one._asdict() for one in running.every()],
            "log": [one._asdict() for one in rows],
            "next": rows[-1].number if len(rows) == wanted.limit else None,
        }
    )


@operation(Ended)
async def stop(request: Request) -> Response:
    """End a request at once; its client is told so in its own dialect."""
    require(Action.REQUESTS)
    running.stop(request.path_params["id"])
    return JSONResponse({"stopped": request.path_params["id"]})


@operation(str, query=File, media_type="text/csv", also={JSON: list[dict[str, Any]]})
async def download(request: Request) -> Response:
    """The log, or its sums, as a file: CSV, or JSON as an array.

    In CSV, text that a spreadsheet would take for a formula has a mark (') before it.
    """
    require(Action.REQUESTS)
    wanted = read_query(request, File)
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
