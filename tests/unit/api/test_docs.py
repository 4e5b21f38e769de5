"""The description of the routes: complete, in itself right, and of the routes that there are."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router, WebSocketRoute

from lib.api import docs, docs_page, gateway, gateway_operations, routes
from lib.api.docs import Described, document, entries
from lib.api.operation import operation, said_of

EVERY = routes.routes()
DESCRIBED = Described([*routes.described(), *docs.routes([], ())], routes.SOCKETS).document
OPERATIONS = [
    (path, method, found)
    for path, methods in DESCRIBED["paths"].items()
    for method, found in methods.items()
]
NAMED = [f"{method} {path}" for path, method, _ in OPERATIONS]


def served() -> Iterator[Route]:
    """The routes that the server really has below /api, without what answers other methods."""
    [mount] = [route for route in EVERY if isinstance(route, Mount)]
    assert isinstance(mount.app, Router)
    for route in mount.app.routes:
        if isinstance(route, Route):
            if not isinstance(route.endpoint, routes.Otherwise):
                yield route
        else:
            assert isinstance(route, WebSocketRoute)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema in the document, whose references lead into it."""
    whole = Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema"})
    registry: Registry[Any] = Registry().with_resource("", whole)
    return Draft202012Validator(schema | {"components": DESCRIBED["components"]}, registry=registry)


@pytest.mark.parametrize("route", list(served()), ids=lambda route: route.path)
def test_every_route_says_what_it_takes_and_gives(route: Route) -> None:
    said = said_of(route.endpoint)
    assert said is not None, f"decorate {route.path} with lib.api.operation.operation"
    assert said.summary.endswith((".", "`."))
    path = "/api" + re.sub(r":\w+\}", "}", route.path)
    methods = {method.lower() for method in route.methods or ()} - {"head"}
    assert methods <= set(DESCRIBED["paths"][path])


def test_a_route_that_says_nothing_is_refused() -> None:
    async def silent(_: Request) -> Response:
        return Response()

    with pytest.raises(LookupError, match="/silent says nothing of itself"):
        entries([Route("/silent", silent)], {})


def test_nothing_is_described_that_is_not_there() -> None:
    there = {"/api" + re.sub(r":\w+\}", "}", route.path) for route in served()}
    ours = {path for path in DESCRIBED["paths"] if path.startswith("/api/")}
    assert ours - there == {"/api/login"}  # the lobby's


def test_the_gateways_routes_are_those_it_has() -> None:
    described = {path for path in DESCRIBED["paths"] if path.startswith("/v1/")}
    assert described == set(gateway_operations.operations())
    assert described >= {gateway.MODELS, *gateway.ASKED}


def test_every_reference_leads_somewhere() -> None:
    parts = DESCRIBED["components"]["schemas"]
    found = set(references(DESCRIBED))
    assert {one.removeprefix("#/components/schemas/") for one in found} <= set(parts)


@pytest.mark.parametrize(("path", "method", "found"), OPERATIONS, ids=NAMED)
def test_an_operation_has_an_example_errors_and_who_may_ask(
    path: str, method: str, found: dict[str, Any]
) -> None:
    answers = found["responses"]
    assert {"401", "403", "421", "500"} <= set(answers)
    assert any(status.startswith("2") for status in answers)
    for status, answer in answers.items():
        assert answer["description"]
        if status[0] in "45":
            schema = answer["content"]["application/json"]["schema"]
            kind = "DialectFailed" if path.startswith("/v1") else "Failed"
            assert schema == {"$ref": f"#/components/schemas/{kind}"}
    if body := found.get("requestBody"):
        [content] = body["content"].values()
        assert {"400", "413", "415", "422"} <= set(answers)
        validator(content["schema"]).validate(content["example"])
    for answer in answers.values():
        for content in answer["content"].values():
            if "example" in content:
                validator(content["schema"]).validate(content["example"])


def test_one_operation_has_one_name() -> None:
    names = [found["operationId"] for _, _, found in OPERATIONS]
    assert len(names) == len(set(names))


def test_the_events_of_a_stream_are_described_with_their_data() -> None:
    answer = DESCRIBED["paths"]["/api/chat"]["post"]["responses"]["200"]["content"]
    kinds = answer["text/event-stream"]["schema"]["anyOf"]
    names = [kind["properties"]["event"]["const"] for kind in kinds]
    assert names == ["start", "state", "reasoning", "text", "end", "error"]
    data = kinds[-1]["properties"]["data"]
    assert data["contentSchema"] == {"$ref": "#/components/schemas/Failed"}


def test_what_two_modules_call_the_same_has_two_short_names() -> None:
    parts = set(DESCRIBED["components"]["schemas"])
    assert {"chat_models.Chat", "shield.chat.Chat"} <= parts
    assert not [name for name in parts if "__" in name]


def test_the_page_shows_every_route_and_cannot_be_written_into() -> None:
    @operation(str)
    async def hostile(_: Request) -> Response:
        """<script>alert("`<b>`")</script>."""
        return Response()

    page = docs_page.page(DESCRIBED)
    assert all(f"<code>{path}</code>" in page for path, _, _ in OPERATIONS)
    assert "<script" not in page
    assert "src=" not in page
    described = document(entries([Route("/<img>/{x}", hostile)], {}))
    shown = docs_page.page(described)
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "<img" not in shown


def test_who_may_ask_is_said() -> None:
    assert DESCRIBED["security"][0] == {}
    assert {scheme["type"] for scheme in DESCRIBED["components"]["securitySchemes"].values()} == {
        "http",
        "apiKey",
    }
