"""/api/keys: the owner's routes, and what their bodies may be."""

import time
from typing import Any

import httpx
import pytest

from lib.core import activity
from tests.api.keys.conftest import Program
from tests.support.fake_engine import Running
from tests.support.guests import signed_in
from tests.support.keys import UNKNOWN, bearer, changed, listed, made
from tests.support.server import Server


def keys(server: Server) -> str:
    return f"{server.url}/api/keys"


def test_a_key_is_told_once_with_a_first_call_for_here_and_there(
    server: Server, url: str, fake: Running
) -> None:
    limits = {"models": ["fake"], "per_minute": 5, "tokens_a_day": 1000, "expires_at": None}
    answer = httpx.post(keys(server), json={"name": "first", **limits})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    told = answer.json()
    assert {name: told["key"][name] for name in limits} == limits
    assert told["secret"].startswith(told["key"]["hint"])
    for name, address in (("", server.url), ("shared_", url)):
        for language in ("curl", "python"):
            text = told["first_call"][f"{name}{language}"]
            assert f"{address}/v1" in text
            assert told["secret"] in text
            assert "fake" in text
    again = httpx.get(keys(server))
    assert told["secret"] not in again.text
    assert again.headers["cache-control"] == "no-store"


def test_a_key_is_changed_disabled_enabled_and_then_deleted(server: Server) -> None:
    key_id, _ = made(server, "second", per_minute=5)
    assert changed(server, key_id, name="renamed", per_minute=None).json()["per_minute"] is None
    assert changed(server, key_id, is_disabled=True).json()["is_disabled"] is True
    assert changed(server, key_id, is_disabled=False).json()["is_disabled"] is False
    refused = httpx.delete(f"{keys(server)}/{key_id}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "key_in_use")
    changed(server, key_id, is_disabled=True)
    assert httpx.delete(f"{keys(server)}/{key_id}").json() == {"deleted": key_id}
    assert httpx.delete(f"{keys(server)}/{key_id}").status_code == 404
    assert changed(server, key_id, name="back").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a\r\nSet-Cookie: x=y"},
        {"name": "guest"},
        {"name": "x", "secret": UNKNOWN},
        {"name": "x", "models": []},
        {"name": "x", "models": "fake"},
        {"name": "x", "per_minute": 0},
        {"name": "x", "tokens_a_day": 1e30},
        {"name": "x", "expires_at": 1},
        {"name": ["x"]},
        [],
        "x",
        None,
    ],
)
def test_a_body_that_makes_no_key_is_refused_in_words(server: Server, body: Any) -> None:
    before = httpx.get(keys(server)).json()
    answer = httpx.post(keys(server), json=body)
    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"code", "message", "fix"}
    assert httpx.get(keys(server)).json() == before


def test_a_name_that_is_taken_is_refused(server: Server) -> None:
    made(server, "taken")
    answer = httpx.post(keys(server), json={"name": "Taken"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_input")


def test_nobody_but_the_owner_reaches_the_keys(server: Server, url: str, program: Program) -> None:
    key_id, secret = made(server, "third")
    cookie = {"Cookie": signed_in(url)}
    for headers in ({}, bearer(secret), cookie):
        other = program(headers)
        for method, path in (
            ("GET", "/api/keys"),
            ("POST", "/api/keys"),
            ("PATCH", f"/api/keys/{key_id}"),
            ("DELETE", f"/api/keys/{key_id}"),
        ):
            answer = other.request(method, path, json={"name": "mine"})
            assert answer.status_code in (401, 403), (headers, method)
    assert listed(server, key_id)["name"] == "third"


def test_another_sites_form_makes_no_key(server: Server) -> None:
    before = httpx.get(keys(server)).json()
    text = {"Content-Type": "text/plain"}
    assert httpx.post(keys(server), content='{"name": "x"}', headers=text).status_code == 415
    foreign = {"Origin": "http://evil.example"}
    assert httpx.post(keys(server), content="{}", headers={**text, **foreign}).status_code == 403
    assert httpx.post(keys(server), json={"name": "x"}, headers=foreign).status_code == 403
    assert httpx.get(keys(server)).json() == before


def test_what_was_done_stands_in_the_activity(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, secret = made(server, "noted")
    changed(server, key_id, is_disabled=True)
    httpx.delete(f"{keys(server)}/{key_id}")
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    told = activity.about("The key noted")
    assert [event.kind for event in told] == ["key deleted", "key disabled", "key made"]
    assert secret not in str(told)


def test_the_routes_are_described(server: Server) -> None:
    paths = httpx.get(f"{server.url}/api/openapi.json").json()["paths"]
    assert set(paths["/api/keys"]) == {"get", "post"}
    assert set(paths["/api/keys/{id}"]) == {"patch", "delete"}
    assert "requestBody" in paths["/api/keys"]["post"]


def test_a_key_with_a_time_says_when(server: Server) -> None:
    until = time.time() + 3600
    key_id, _ = made(server, "timed", expires_at=until)
    assert listed(server, key_id)["expires_at"] == pytest.approx(until)
    assert listed(server, key_id)["is_expired"] is False
