"""A reply's own route, on the running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib import files
from tests.support.server import Server, running_server

REPLY, BROWSER = "0123456789abcdef" * 2, "me"


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with running_server(home) as running:
        yield running


def test_a_strangers_reply_is_not_found(server: Server) -> None:
    entries = [
        [1.0, {"conversation": "c", "owner": BROWSER, "model": "m", "messages": []}],
        ["t", "secret words"],
        ["e", "done", {}, None],
    ]
    spool = server.home / "replies" / f"{REPLY}.jsonl"
    files.write_text(spool, "".join(json.dumps(entry) + "\n" for entry in entries))
    for cookies in ({}, {"berth_browser": "me"}, {"berth_browser": "x" * 32}):
        answer = httpx.get(f"{server.url}/api/replies/{REPLY}/stream", cookies=cookies)
        assert answer.status_code == 404
        assert "secret" not in answer.text
        assert answer.json()["error"]["fix"]


@pytest.mark.parametrize("name", ["nobody", "..%2F..%2Fetc%2Fpasswd", "%00", "x" * 5_000])
def test_a_hostile_id_is_refused(server: Server, name: str) -> None:
    answer = httpx.get(f"{server.url}/api/replies/{name}/stream")
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


def test_stopping_needs_the_same_origin(server: Server) -> None:
    url = f"{server.url}/api/replies/{REPLY}/stop"
    evil = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    assert httpx.post(url, headers=evil, content="{}").status_code == 403
    assert httpx.post(url, json={}).status_code == 404
    assert httpx.get(url).status_code == 405
