"""A reply's own route, on the running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from lib.core import files
from tests.support.server import Server, running_server

REPLY, BROWSER, TALK = "0123456789abcdef" * 2, "a" * 32, "c" * 32
HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with running_server(home) as running:
        yield running


def spooled(home: Path, conversation: str = TALK) -> None:
    """A reply of BROWSER's on disk."""
    entries = [
        [1.0, conversation, BROWSER],
        {"conversation": conversation, "owner": BROWSER, "model": "m", "messages": [HELLO]},
        ["t", "secret words"],
        ["e", "done", {}, None],
    ]
    spool = home / "replies" / f"{REPLY}.jsonl"
    files.write_text(spool, "".join(json.dumps(entry) + "\n" for entry in entries))


def socket(server: Server, query: str, **headers: str) -> ClientConnection:
    address = f"ws://{server.host}/api/replies/live?{query}"
    return connect(address, additional_headers=headers)


def test_its_owner_gets_it_again_from_any_block(server: Server) -> None:
    spooled(server.home)
    with socket(server, f"c={TALK}&reply={REPLY}", Cookie=f"berth_browser={BROWSER}") as mine:
        lines = [json.loads(line) for line in str(mine.recv(timeout=10)).splitlines()]
    assert lines == [["n", REPLY], ["b", 0], ["t", "secret words"], ["e", "done"]]


@pytest.mark.parametrize("cookie", ["", "berth_browser=me", f"berth_browser={'f' * 32}"])
def test_a_stranger_gets_nothing(server: Server, cookie: str) -> None:
    spooled(server.home)
    with (
        socket(server, f"c={TALK}&reply={REPLY}", Cookie=cookie) as other,
        pytest.raises(TimeoutError),
    ):
        other.recv(timeout=1)


@pytest.mark.parametrize("talk", ["", "nobody", "..%2F..%2Fetc", "%00", "x" * 5_000, "F" * 32])
def test_a_hostile_conversation_is_refused(server: Server, talk: str) -> None:
    with pytest.raises(InvalidStatus):
        socket(server, f"c={talk}")


def test_another_website_cannot_listen(server: Server) -> None:
    with pytest.raises(InvalidStatus):
        connect(f"ws://{server.host}/api/replies/live?c={TALK}", origin=Origin("https://evil.test"))


def test_a_hostile_start_begins_at_the_beginning(server: Server) -> None:
    spooled(server.home)
    query = f"c={TALK}&reply={REPLY}&from=-1%00"
    with socket(server, query, Cookie=f"berth_browser={BROWSER}") as mine:
        assert "secret words" in str(mine.recv(timeout=10))


def asking(**fields: object) -> str:
    return json.dumps({"ask": "d" * 32, "token": "e" * 32, "text": "Hello", **fields})


def told(mine: ClientConnection, message: str) -> list[object]:
    mine.send(message)
    return json.loads(str(mine.recv(timeout=10)))  # type: ignore[no-any-return]


def test_a_question_without_its_page_is_sent_back(server: Server) -> None:
    with socket(server, f"c={TALK}", Cookie=f"berth_browser={BROWSER}") as mine:
        assert told(mine, asking())[:3] == ["x", "d" * 32, "page_changed"]


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2_000_001])
def test_a_question_of_no_proper_length_is_refused(server: Server, text: str) -> None:
    with socket(server, f"c={TALK}", Cookie=f"berth_browser={BROWSER}") as mine:
        assert told(mine, asking(text=text))[2] == "bad_input"


@pytest.mark.parametrize(
    "message", ["", "[]", "null", "{", '{"ask": 1}', "\x00", "[" * 10_000, asking(ask=None)]
)
def test_what_no_page_sends_does_nothing(server: Server, message: str) -> None:
    with socket(server, f"c={TALK}", Cookie=f"berth_browser={BROWSER}") as mine:
        mine.send(message)
        mine.send(b"\xff\x00")
        assert told(mine, asking())[0] == "x"


def test_stopping_needs_the_same_origin(server: Server) -> None:
    url = f"{server.url}/api/replies/{REPLY}/stop"
    evil = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    assert httpx.post(url, headers=evil, content="{}").status_code == 403
    assert httpx.post(url, json={}).status_code == 404
    assert httpx.get(url).status_code == 405
