"""How the routes say what went wrong: `{"error": {"code", "message", "fix"}}` and a status."""

import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lib.core.errors import BadInput, BerthError, NotFound

LARGEST_BODY = 8 * 2**20  # bytes; a long conversation is well below

_Body = TypeVar("_Body", bound=BaseModel)


class TooLarge(BadInput, code="too_large", status=413):
    """The body is larger than anything sensible."""


class NotJson(BadInput, code="not_json", status=400):
    """The body is not what JSON looks like."""


class NoSuchModel(NotFound, code="model_not_found"):
    """As OpenAI says it: clients tell by this word that not their request was wrong."""


class WrongMethod(BerthError, code="wrong_method", status=405):
    """The path exists, the method does not."""


class Bug(BerthError, code="bug"):
    """Something that should not happen."""


async def read_body(request: Request, limit_bytes: int = LARGEST_BODY) -> bytes:
    """The whole body, or TooLarge as soon as that is known."""
    announced = request.headers.get("content-length", "0")
    body = bytearray()
    if int(announced) <= limit_bytes:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                break
        else:
            return bytes(body)
    raise TooLarge(
        f"The request is larger than {limit_bytes // 2**20} MiB.", "Send less in one request."
    )


def parsed(body: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The body's JSON; NotJson for anything else, and for nesting that no sane client sends.

    `pairs` makes something else of each object than a dict.
    """
    try:
        return json.loads(body, object_pairs_hook=pairs, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJson("The body is not JSON.", "Send a JSON object.") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


async def read_model(
    request: Request, model: type[_Body], limit_bytes: int = LARGEST_BODY
) -> _Body:
    """The body as a `model`; an empty one is a `model` of defaults."""
    return validated(await read_json(request, limit_bytes), model)


async def read_json(request: Request, limit_bytes: int = LARGEST_BODY) -> Any:
    """The body's JSON; an empty one is an empty object."""
    body = await read_body(request, limit_bytes)
    return parsed(body) if body else {}


def validated(told: Any, model: type[_Body]) -> _Body:
    """It as a `model`, or BadInput."""
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise BadInput(_first_problem(error), "Correct the request and send it again.") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "The body"
    return f"{where}: {first['msg']}."


async def on_berth_error(_request: Request, error: BerthError) -> Response:
    """A failure in words."""
    return JSONResponse(error.as_json(), status_code=error.status)


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """The router's own 404 and 405; below /api they are JSON as everything there."""
    headers = dict(error.headers or {})
    if not f"{request.scope['path']}/".startswith("/api/"):
        return PlainTextResponse(error.detail, status_code=error.status_code, headers=headers)
    words = _in_words(request, error)
    return JSONResponse(words.as_json(), status_code=words.status, headers=headers)


def _in_words(request: Request, error: HTTPException) -> BerthError:
    if error.status_code == 404:
        return NotFound("There is no such path below /api.", "See /api/docs for those there are.")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return WrongMethod(f"{request.method} is not for this path.", f"Use {allowed}.")
    return BadInput(error.detail)


async def on_bug(_request: Request, _error: Exception) -> Response:
    """Anything else; the traceback goes to the log."""
    bug = Bug("Berth failed at this request.", "Look at its log, and report what it says.")
    return JSONResponse(bug.as_json(), status_code=500)


HANDLERS: dict[Any, Any] = {
    BerthError: on_berth_error,
    HTTPException: on_http_error,
    Exception: on_bug,
}
