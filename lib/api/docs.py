"""/api/docs and /api/openapi.json: what can be asked, made from the routes themselves."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaMode
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from lib import VERSION
from lib.api import docs_page, gateway_operations
from lib.api.answers import Failed
from lib.api.errors import Ambiguous, Bug, NotJson, TooLarge
from lib.api.gateway_operations import DialectFailed
from lib.api.guests import LOGIN_OPERATION
from lib.api.operation import EVENTS, JSON, Errors, Operation, operation, said_of
from lib.api.pools import TooBusy
from lib.core.access import Action, NotSignedIn, require
from lib.core.errors import BadInput, BerthError, Forbidden, NotFound
from lib.sharing import guests
from lib.sharing.gate import WrongHost, WrongType

ALWAYS: Errors = (NotSignedIn, Forbidden, WrongHost, TooBusy, Bug)
WITH_BODY: Errors = (NotJson, Ambiguous, TooLarge, BadInput, WrongType)
SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "The owner's key, where Berth was told to ask for it.",
    },
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": guests.COOKIE,
        "description": "What a guest's browser gets for the access code.",
    },
}
ABOUT = """The routes below `/api` are Berth's own; those below `/v1` speak the dialects of OpenAI
and Anthropic, so that any client of theirs works with them.

**Who may ask.** Programs of the owner, on this machine, need no key, unless the owner has asked for
one. A request has to name this machine in `Host`, and what changes something has to be sent as
`application/json`, so that no foreign web page can send it. Guests from the network may look and
chat.

**Errors** are `{"error": {"code", "message", "fix"}}`: a code for programs, what happened, and what
to do. Below `/v1` they have the shape of the dialect, with the same `message`. A connection that
sends too much or too slowly may get 408, 431 or 503 from any path.

**Streams** are server-sent events: lines `id:`, `event:` and `data:`, and a blank line; lines that
begin with a colon mean that Berth is still there. A stream that breaks is broken off, never closed
neatly."""

_CONVERTER = re.compile(r":\w+\}")
_ANSWER: JsonSchemaMode = "serialization"
_REFERENCE = "#/components/schemas/{model}"


class Entry(NamedTuple):
    """One method of one path, and what is said of it."""

    path: str
    method: str
    said: Operation
    parameters: tuple[str, ...] = ()


class _Shapes:
    """Every shape by the place where it is used, made at once, so that their names differ."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        wanted = {("failed", _ANSWER): Failed, ("dialect", _ANSWER): DialectFailed}
        for entry in entries:
            for name, mode, shape in _shapes_of(entry.said):
                wanted[f"{_key(entry)} {name}", mode] = shape
        adapters = [(key, mode, _adapter(shape)) for (key, mode), shape in wanted.items()]
        made, parts = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
        self._made = {str(key): _short(schema) for (key, _), schema in made.items()}
        self.parts: dict[str, Any] = {
            _short_name(name): _short(schema) for name, schema in parts.get("$defs", {}).items()
        }

    def of(self, entry: Entry, name: str) -> dict[str, Any]:
        """What the entry calls so."""
        made: dict[str, Any] = self._made[f"{_key(entry)} {name}"]
        return made

    def named(self, key: str) -> dict[str, Any]:
        """What is no entry's own."""
        made: dict[str, Any] = self._made[key]
        return made


def _adapter(shape: Any) -> TypeAdapter[Any]:
    return shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)


def _short(schema: Any) -> Any:
    """The same, where shapes of one name are told apart by fewer words."""
    if isinstance(schema, list):
        return [_short(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _short_name(value) if key == "$ref" and isinstance(value, str) else _short(value)
        for key, value in schema.items()
    }


def _short_name(name: str) -> str:
    return name.replace("lib__api__", "").replace("lib__", "").replace("__", ".")


def _key(entry: Entry) -> str:
    return f"{entry.method} {entry.path}"


def _shapes_of(said: Operation) -> Iterator[tuple[str, JsonSchemaMode, Any]]:
    if said.body is not None:
        yield "body", "validation", said.body
    for status, shape in said.answers.items():
        if shape is not None:
            yield str(status), _ANSWER, shape
    for media, shape in said.also.items():
        yield f"also {media}", _ANSWER, shape
    for name, shape in said.events.items():
        yield f"event {name}", _ANSWER, shape


def entries(routes: Iterable[Route], others: Mapping[str, Mapping[str, Operation]]) -> list[Entry]:
    """What is said of these routes, whose paths are relative to /api, and of all others."""
    found = []
    for route in routes:
        said = said_of(route.endpoint)
        if said is None:
            raise LookupError(f"{route.path} says nothing of itself: see lib/api/operation.py.")
        path = "/api" + _CONVERTER.sub("}", route.path)
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            found.append(Entry(path, method.lower(), said, tuple(route.param_convertors)))
    for path, methods in others.items():
        names = tuple(re.findall(r"\{(\w+)\}", path))
        found += [Entry(path, method, said, names) for method, said in methods.items()]
    return found


def document(found: Sequence[Entry], sockets: Sequence[WebSocketRoute] = ()) -> dict[str, Any]:
    """The OpenAPI document."""
    shapes, paths = _Shapes(found), dict[str, dict[str, Any]]()
    for entry in found:
        paths.setdefault(entry.path, {})[entry.method] = _operation(entry, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Berth", "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": shapes.parts, "securitySchemes": SECURITY},
        "security": [{}, *({name: []} for name in SECURITY)],
        "x-websockets": {f"/api{one.path}": _sentence(one.endpoint) for one in sockets},
    }


def _sentence(endpoint: Any) -> str:
    return (endpoint.__doc__ or "").strip().partition("\n")[0]


def _operation(entry: Entry, shapes: _Shapes) -> dict[str, Any]:
    said = entry.said
    made: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", _key(entry)).strip("_"),
        "tags": [entry.path.split("/")[2] if entry.path.startswith("/api") else "v1"],
        "summary": said.summary,
        "description": said.details,
        "parameters": list(_parameters(entry)),
        "responses": _answers(entry, shapes) | _refusals(entry, shapes),
    }
    if said.body is not None:
        content: dict[str, Any] = {"schema": shapes.of(entry, "body")}
        if said.example is not None:
            content["example"] = said.example
        made["requestBody"] = {"required": _is_needed(said.body), "content": {said.takes: content}}
    return made


def _is_needed(body: Any) -> bool:
    """Would nothing be refused? An empty body is one of defaults."""
    try:
        _adapter(body).validate_python({})
    except (ValidationError, BerthError):
        return True
    return False


def _parameters(entry: Entry) -> Iterator[dict[str, Any]]:
    for name in entry.parameters:
        text = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": text}
    for place, model in (("query", entry.said.query), ("header", entry.said.headers)):
        made = TypeAdapter(model).json_schema() if model else {}
        fields = _inlined(made.get("properties", {}), made.get("$defs", {}))
        for name, field in fields.items():
            yield {
                "name": _header(name) if place == "header" else name,
                "in": place,
                "required": False,
                "description": field.pop("description", ""),
                "schema": field,
            }


def _header(name: str) -> str:
    return "-".join("ID" if word == "id" else word.title() for word in name.split("_"))


def _inlined(value: Any, parts: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place: a parameter's can refer to nothing."""
    if isinstance(value, list):
        return [_inlined(one, parts) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(parts[value["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(one, parts) for name, one in value.items()}


def _answers(entry: Entry, shapes: _Shapes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, shape in entry.said.answers.items():
        content: dict[str, Any] = {}
        if shape is not None:
            schema = shapes.of(entry, str(status))
            content[entry.said.media_type] = {"schema": schema}
            if entry.said.gives is not None and not found:
                content[entry.said.media_type]["example"] = entry.said.gives
        found[str(status)] = {"description": "Done.", "content": content}
    for media in entry.said.also:
        found["200"]["content"][media] = {"schema": shapes.of(entry, f"also {media}")}
    if entry.said.events:
        found["200"]["description"] = "Done; as a stream, these events, until the last one."
        kinds = [_event(name, shapes.of(entry, f"event {name}")) for name in entry.said.events]
        found["200"]["content"][EVENTS] = {"schema": {"anyOf": kinds}}
    return found


def _event(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One event of a stream: its data is JSON, in a text; "" for those whose names differ."""
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
    named = {"event": {"const": name}} if name else {}
    return {"type": "object", "required": [*named, "data"], "properties": {**named, "data": data}}


def _refusals(entry: Entry, shapes: _Shapes) -> dict[str, Any]:
    """Its errors by status, with the kinds that there are."""
    kinds = ALWAYS + entry.said.errors
    kinds += WITH_BODY if entry.said.body is not None else ()
    kinds += (NotFound,) if entry.parameters or entry.said.body is not None else ()
    kinds += (BadInput,) if entry.parameters or entry.said.query or entry.said.headers else ()
    by_status: dict[int, list[type[BerthError]]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(kind.status, []).append(kind)
    is_dialect = entry.path.startswith("/v1/")
    schema = shapes.named("dialect" if is_dialect else "failed")
    found = {str(status): _refusal(kinds, schema) for status, kinds in sorted(by_status.items())}
    if is_dialect:
        found["default"] = _refusal([], schema) | {"description": "What the engine has refused."}
    return found


def _refusal(kinds: Sequence[type[BerthError]], schema: dict[str, Any]) -> dict[str, Any]:
    told = "; ".join(f"`{kind.code}`: {_sentence(kind)}" for kind in kinds)
    content: dict[str, Any] = {"schema": schema}
    if kinds:
        words = {"code": kinds[0].code, "message": _sentence(kinds[0]), "fix": ""}
        content["example"] = {"error": words}
    return {"description": told, "content": {JSON: content}}


class Described:
    """The document, made when somebody asks for it first."""

    def __init__(self, routes: Sequence[Route], sockets: Sequence[WebSocketRoute]) -> None:
        self._routes, self._sockets = routes, sockets

    @cached_property
    def document(self) -> dict[str, Any]:
        """As OpenAPI."""
        others = {"/api/login": {"post": LOGIN_OPERATION}, **gateway_operations.operations()}
        return document(entries(self._routes, others), self._sockets)

    @cached_property
    def page(self) -> str:
        """For people."""
        return docs_page.page(self.document)


@operation(dict[str, Any])
async def _openapi(described: Described, request: Request) -> Response:
    """This description, as OpenAPI 3.1."""
    require(Action.LOOK)
    return JSONResponse(await run_in_threadpool(lambda: described.document))


@operation(str, media_type="text/html")
async def _docs(described: Described, request: Request) -> Response:
    """The same as a page."""
    require(Action.LOOK)
    return HTMLResponse(await run_in_threadpool(lambda: described.page))


def routes(others: list[Route], sockets: Sequence[WebSocketRoute]) -> list[Route]:
    """Below /api, about the other routes there and about themselves."""
    described = Described(others, sockets)
    own = [
        Route("/openapi.json", partial(_openapi, described)),
        Route("/docs", partial(_docs, described)),
    ]
    others += own
    return own
