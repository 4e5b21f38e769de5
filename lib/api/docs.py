"""/api/docs and /api/openapi.json: what can be asked, made from the routes themselves."""

import html
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lib import VERSION
from lib.api import attachments, deploy, models, system
from lib.core.access import Action, require
from lib.deploy import DeployRequest
from lib.engines.base import StartOptions
from lib.slots.request import SlotRequest

BODIES: dict[Any, Any] = {  # a model, or several to choose from
    deploy.create: DeployRequest | SlotRequest,
    models.start: StartOptions,
    attachments.add: attachments.Upload,
}
RESULTS: dict[Any, type[BaseModel]] = {system.machine: system.System}
PARTS = "$defs"  # where pydantic puts them; OpenAPI has one place for all
GATEWAY = {
    "/v1/models": {"get": "Every model that runs or can be started, in OpenAI's shape."},
    "/v1/models/{name}": {"get": "One of them; its name may have / and : in it."},
    "/v1/chat/completions": {"post": "OpenAI's chat completions, by the body's model."},
    "/v1/completions": {"post": "OpenAI's completions, by the body's model."},
    "/v1/embeddings": {"post": "OpenAI's embeddings, by the body's model."},
    "/v1/rerank": {"post": "Texts ranked by how well they answer a query, by the body's model."},
    "/v1/responses": {"post": "OpenAI's responses, by the body's model; nothing is stored."},
    "/v1/messages": {"post": "Anthropic's messages, by the body's model."},
    "/v1/messages/count_tokens": {"post": "How many tokens such a request has."},
    "/v1/files": {
        "get": "The files that were sent for batches, and those of their answers.",
        "post": "Send one, as a form with parts: its lines are the requests of a batch.",
    },
    "/v1/files/{id}": {"get": "One of them.", "delete": "Delete it; its space is free at once."},
    "/v1/files/{id}/content": {"get": "What stands in it."},
    "/v1/batches": {
        "get": "The batches, newest first.",
        "post": "Answer every request of a file, one after the other, in the background.",
    },
    "/v1/batches/{id}": {"get": "One of them: how far it is, and the files of its answers."},
    "/v1/batches/{id}/cancel": {"post": "End it; what is answered is kept."},
}
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Berth API</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
padding: 0 1rem; color-scheme: light dark }} code {{ font-weight: 600 }}</style></head>
<body><h1>Berth API</h1><p>The same as <a href="openapi.json">OpenAPI</a>. What changes something
is sent as JSON; errors are <code>{{"error": {{"code", "message", "fix"}}}}</code>.</p>
<dl>{rows}</dl></body></html>"""

_ANSWERS = {
    "responses": {
        "200": {"description": "Done."},
        "default": {"description": "What went wrong and what to do about it."},
    }
}
_CONVERTER = re.compile(r":\w+\}")


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of these routes, whose paths are relative to /api, and the gateway."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = "/api" + _CONVERTER.sub("}", route.path)
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _operation(route)
    for path, methods in GATEWAY.items():
        paths[path] = {method: {"summary": text} | _ANSWERS for method, text in methods.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Berth", "version": VERSION},
        "paths": paths,
        "components": {"schemas": _parts()},
    }


def _operation(route: Route) -> dict[str, Any]:
    names = list(route.param_convertors)
    operation: dict[str, Any] = {
        "summary": (route.endpoint.__doc__ or "").partition("\n")[0],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        **_ANSWERS,
    }
    if body := BODIES.get(route.endpoint):
        operation["requestBody"] = _content(_schema(body, "validation"))
    if result := RESULTS.get(route.endpoint):
        done = {"description": "Done."} | _content(_schema(result, "serialization"))
        operation["responses"] = _ANSWERS["responses"] | {"200": done}
    return operation


def _schema(model: Any, mode: JsonSchemaMode) -> dict[str, Any]:
    made = TypeAdapter(model)
    return made.json_schema(mode=mode, ref_template="#/components/schemas/{model}")


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in schema.items() if name != PARTS}
    return {"content": {"application/json": {"schema": own}}}


def _parts() -> dict[str, Any]:
    """The shapes that bodies and answers are made of, by name."""
    schemas = [_schema(model, "validation") for model in BODIES.values()]
    schemas += [_schema(model, "serialization") for model in RESULTS.values()]
    return {name: part for schema in schemas for name, part in schema.get(PARTS, {}).items()}


def page(described: dict[str, Any]) -> str:
    """The same for people."""
    rows = [
        f"<dt><code>{method.upper()} {html.escape(path)}</code></dt>"
        f"<dd>{html.escape(operation['summary'])}</dd>"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return PAGE.format(rows="".join(rows))


async def _openapi(described: dict[str, Any], request: Request) -> Response:
    require(Action.LOOK)
    return JSONResponse(described)


async def _docs(described: dict[str, Any], request: Request) -> Response:
    require(Action.LOOK)
    return HTMLResponse(page(described))


def routes(others: Sequence[Route]) -> list[Route]:
    """Below /api, about the other routes there."""
    described = document(others)
    return [
        Route("/openapi.json", partial(_openapi, described)),
        Route("/docs", partial(_docs, described)),
    ]
