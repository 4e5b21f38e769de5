"""How the routes say what went wrong: `{"error": {"code", "message", "fix"}}` and a status."""

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lib.core.errors import BadInput, BerthError, Forbidden, NotFound
from lib.core.names import shown
from lib.sharing import for_guests

LARGEST_BODY = 8 * 2**20  # bytes; a long conversation is well below
RETRY_SECONDS = "5"  # after "too many"

_Body = TypeVar("_Body", bound=BaseModel)
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")  # perhaps without its other half


class TooLarge(BadInput, code="too_large", status=413):
    """The body is larger than anything sensible."""


class NotJson(BadInput, code="not_json", status=400):
    """The body is not what JSON looks like."""


class Ambiguous(BadInput, code="ambiguous", status=400):
    """Two parsers could read two things in this."""


class NoSuchModel(NotFound, code="model_not_found"):
    """As OpenAI says it: clients tell by this word that not their request was wrong."""


class WrongMethod(BerthError, code="wrong_method", status=405):
    """The path exists, the method does not."""

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method} is not for this path.", f"Use {allowed}.")
        self.allowed = allowed


class Bug(BerthError, code="bug"):
    """Something that should not happen."""


_OWN_WORDS = (BadInput, NotFound, Forbidden, WrongMethod)


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

    `pairs` makes something else of each object than a dict. What has no place in JSON or in a file
    is none either: NaN, numbers too large to be any, half a character.
    """
    try:
        found = json.loads(
            body, object_pairs_hook=pairs, parse_constant=_refuse, parse_float=_finite
        )
        if _HALF_CHARACTER.search(body):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotJson("The body is not JSON.", "Send a JSON object.") from error
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, each of whose names stands there once; else Ambiguous."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Ambiguous(f"The field “{shown(twice)}” stands there twice.", "Send it once.")
    return made


async def read_model(
    request: Request, model: type[_Body], limit_bytes: int = LARGEST_BODY
) -> _Body:
    """The body as a `model`; an empty one is a `model` of defaults."""
    return validated(await read_json(request, limit_bytes), model)


async def read_json(request: Request, limit_bytes: int = LARGEST_BODY) -> Any:
    """The body's JSON, each name in it once; an empty one is an empty object."""
    body = await read_body(request, limit_bytes)
    return parsed(body, once) if body else {}


def validated(told: Any, model: type[_Body]) -> _Body:
    """It as a `model`, or BadInput; everything is taken as it is written."""
    with _told():
        return model.model_validate_json(to_json(told), strict=True)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise BadInput(_first_problem(error), "Correct the request and send it again.") from error
    except PydanticSerializationError as error:
        raise NotJson("The body is nested too deeply.", "Send a plain JSON object.") from error


def read_query(request: Request, model: type[_Body]) -> _Body:
    """What stands behind the path's question mark; BadInput names the parameter that is wrong."""
    with _told():
        return model.model_validate(dict(request.query_params))


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = shown(".".join(str(part) for part in first["loc"]) or "The body", 120)
    return f"{where}: {shown(first['msg'], 300)}."


async def on_berth_error(_request: Request, error: BerthError) -> Response:
    """A failure in words."""
    headers = {"Retry-After": RETRY_SECONDS} if error.status == 429 else None
    return JSONResponse(_for_whoever_asks(error), error.status, headers)


def _for_whoever_asks(error: BerthError) -> dict[str, dict[str, str]]:
    """Guests are told nothing of the owner's disk, where engines and the system are quoted."""
    if isinstance(error, _OWN_WORDS):
        return error.as_json()
    message, fix = for_guests.of_error(error), for_guests.told(error.fix)
    return {"error": {"code": error.code, "message": message, "fix": fix}}


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
        return WrongMethod(request.method, allowed)
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
