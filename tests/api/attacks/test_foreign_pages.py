"""What a website that the owner or a guest happens to visit can do: nothing, at every route."""

from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from lib.api import gateway
from lib.api.routes import routes
from tests.support.attacks import Place, request, said, status_of, statuses, websocket_status

SOCKETS = ("/_stcore/stream", f"/api/replies/live?c={'c' * 32}", "/api/guests/watch")
FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


def below(found: list[BaseRoute], at: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route of Berth's own, with a name where one stands."""
    for route in found:
        if isinstance(route, Mount):
            yield from below(list(route.routes), at + route.path)
        elif isinstance(route, Route):
            path = at + route.path_format.format_map(Names())
            yield from ((method, path) for method in sorted(route.methods or ()))


class Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "fake"


def sockets(found: list[BaseRoute], at: str = "") -> Iterator[str]:
    for route in found:
        if isinstance(route, Mount):
            yield from sockets(list(route.routes), at + route.path)
        elif isinstance(route, WebSocketRoute):
            yield at + route.path


OF_THE_GATEWAY = [
    *(("GET", path) for path in (gateway.MODELS, "/v1/files", "/v1/files/fake/content")),
    *(("POST", path) for path in (*gateway.ASKED, "/v1/batches", "/v1/batches/fake/cancel")),
    ("DELETE", "/v1/files/fake"),
]
EVERY = [*dict.fromkeys(below(routes())), *OF_THE_GATEWAY]
CHANGING = sorted({path for method, path in EVERY if method == "POST"})


def refused(answers: bytes) -> bool:
    """Is every answer a refusal of the gate's?"""
    return {401, 403, 421}.issuperset(statuses(answers))


@pytest.mark.parametrize("is_guest", [False, True], ids=["owner", "guest"])
def test_a_rebound_name_gets_nothing_of_any_route(place: Place, is_guest: bool) -> None:
    url = place.url if is_guest else place.server.url
    port = url.rpartition(":")[2]
    for method, path in EVERY:
        shown = (f"Host: rebound.example:{port}", f"Cookie: {place.cookie}", "Content-Length: 0")
        assert status_of(url, f"{method} {path} HTTP/1.1", *shown) == 421, path


def test_every_websocket_is_known_here() -> None:
    assert {path.partition("?")[0] for path in SOCKETS[1:]} == set(sockets(routes()))


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("is_guest", [False, True], ids=["owner", "guest"])
def test_no_websocket_opens_to_a_rebound_name_or_a_foreign_page(
    place: Place, path: str, is_guest: bool
) -> None:
    url = place.url if is_guest else place.server.url
    own, cookie = url.partition("//")[2], f"Cookie: {place.cookie}"
    assert websocket_status(url, path, f"Host: {own}", f"Origin: {url}", cookie) == 101
    for origin in ("http://evil.example", "null", "file://", f"{url}.evil.example", f"{url}0"):
        assert websocket_status(url, path, f"Host: {own}", f"Origin: {origin}", cookie) == 403
    for host in ("evil.example", f"{own}.evil.example", f"evil.example:{own.rpartition(':')[2]}"):
        origin = f"Origin: http://{host}"
        assert websocket_status(url, path, f"Host: {host}", origin, cookie) == 403


@pytest.mark.parametrize("media_type", FORMS)
def test_no_route_takes_what_a_form_can_send(place: Place, media_type: str) -> None:
    for path in CHANGING:
        for more in ([], ["Origin: http://evil.example"], ["Sec-Fetch-Site: cross-site"]):
            shown = (f"Host: {place.server.host}", f"Content-Type: {media_type}", *more)
            line, refusals = f"POST {path} HTTP/1.1", (403,) if more else (403, 415)
            assert status_of(place.server.url, line, *shown, "Content-Length: 0") in refusals, path


def test_json_of_a_foreign_page_is_refused_and_no_answer_allows_it(place: Place) -> None:
    """A browser asks first; and whoever has it send without asking is refused as well."""
    for method, path in EVERY:
        shown = (f"Host: {place.server.host}", "Origin: http://evil.example", "Connection: close")
        asked = (*shown, f"Access-Control-Request-Method: {method}", "Content-Length: 0")
        sent = (*shown, "Content-Type: application/json", "Content-Length: 0")
        answers = said(place.server.url, request(f"OPTIONS {path} HTTP/1.1", *asked))
        answers += said(place.server.url, request(f"{method} {path} HTTP/1.1", *sent))
        assert refused(answers), path
        assert b"access-control-" not in answers.lower()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_no_route_answers_who_names_another_address(place: Place, header: str) -> None:
    for method, path in EVERY:
        shown = (f"Host: {place.server.host}", f"{header}: 127.0.0.1", "Content-Length: 0")
        assert status_of(place.server.url, f"{method} {path} HTTP/1.1", *shown) in (401, 403), path
