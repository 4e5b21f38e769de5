"""Bodies that are too much: of 100 MB, nested without end, packed, or never finished."""

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.api.attacks.test_foreign_pages import CHANGING
from tests.support.attacks import CLIENT, JSON, Place, address_of, memory_bytes, request, statuses
from tests.support.fake_engine import Running
from tests.support.gateway import HELLO

MIB = 2**20
HUNDRED = 100 * MIB
MOST_GROWTH = 96 * MIB  # the largest body that is taken has 16 MiB, a file 28
WITHOUT = ("/stop", "/pause", "/retry", "/logout", "/cancel")
READING = [path for path in CHANGING if not path.endswith(WITHOUT)]
PARSING = ["/api/chat", "/api/deploy", "/api/keys", "/v1/chat/completions", "/v1/messages"]
PARSING += ["/v1/responses", "/v1/batches"]


def headers(place: Place, *more: str) -> tuple[str, ...]:
    return (f"Host: {place.server.host}", "Content-Type: application/json", *more)


@pytest.mark.parametrize("path", READING)
def test_a_hundred_megabytes_that_are_announced_are_refused_before_they_come(
    place: Place, fake: Running, path: str
) -> None:
    announced = request(f"POST {path} HTTP/1.1", *headers(place, f"Content-Length: {HUNDRED}"))
    with socket.create_connection(address_of(place.server.url), 10) as connection:
        connection.sendall(announced + b"{")
        assert statuses(connection.recv(4_096)) == [413]


@pytest.mark.parametrize("path", READING)
def test_a_hundred_megabytes_in_pieces_are_refused_and_kept_nowhere(
    place: Place, fake: Running, path: str
) -> None:
    before, calls, sent = memory_bytes(place.server), len(fake.record()), 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(HUNDRED // MIB):
            sent += 1
            yield b" " * MIB

    try:
        answer = CLIENT.post(place.server.url + path, content=pieces(), headers=JSON, timeout=30)
        assert answer.status_code == 413
    except httpx.TransportError:  # closed while we still send
        assert sent < HUNDRED // MIB
    assert memory_bytes(place.server) - before < MOST_GROWTH
    assert len(fake.record()) == calls


def test_a_guest_and_a_stranger_can_send_no_more_than_a_code(place: Place) -> None:
    for path, cookie, expected in (
        ("/api/login", "", 413),
        ("/api/models/fake/start", place.cookie, 403),
        ("/v1/chat/completions", place.cookie, 401),
        ("/api/models/fake/start", "", 401),
    ):
        shown = (f"Host: {place.host}", f"Cookie: {cookie}", f"Content-Length: {HUNDRED}")
        data = request(f"POST {path} HTTP/1.1", *shown, "Content-Type: application/json")
        with socket.create_connection(address_of(place.url), 10) as connection:
            connection.sendall(data)
            assert statuses(connection.recv(4_096)) == [expected]


DEEP: dict[str, Any] = {
    "lists": b"[" * 200_000,
    "lists that end": b"[" * 5_000 + b"]" * 5_000,
    "objects": b'{"a":' * 100_000,
    "a field": b'{"model": "fake", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a field that nobody knows": b'{"model": "fake", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    "many names": json.dumps({f"x{n}": n for n in range(50_000)}).encode(),
    "one long number": b'{"model": ' + b"9" * 100_000 + b"}",
    "one long name": b'{"' + b"x" * MIB + b'": 1}',
}


@pytest.mark.parametrize("body", DEEP.values(), ids=list(DEEP))
def test_json_without_end_is_refused_in_words_at_every_route(
    place: Place, fake: Running, body: bytes
) -> None:
    calls = len(fake.record())
    for path in PARSING:
        answer = CLIENT.post(place.server.url + path, content=body, headers=JSON, timeout=30)
        assert 400 <= answer.status_code < 500, answer.text
        assert len(answer.text) < 2_000
        assert answer.json()["error"]["message"]
    assert len(fake.record()) == calls


@pytest.mark.parametrize("depth", [33, 100, 300])
def test_what_may_be_any_object_is_not_nested_without_end(
    place: Place, fake: Running, depth: int
) -> None:
    """Schemas and what tools were called with are the only places that are not known by name."""
    deep: Any = {}
    for _ in range(depth):
        deep = {"type": "object", "properties": {"a": deep}}
    function = {"name": "f", "parameters": deep}
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": deep}}
    used = {"type": "tool_use", "id": "1", "name": "f", "input": deep}
    calls = len(fake.record())
    for path, body in (
        ("chat/completions", {**HELLO, "tools": [{"type": "function", "function": function}]}),
        ("chat/completions", {**HELLO, "response_format": schema}),
        ("responses", {"input": "a", "tools": [{"type": "function", **function}]}),
        ("responses", {"input": "a", "text": {"format": {"type": "json_schema", "schema": deep}}}),
        ("messages", {**HELLO, "max_tokens": 5, "tools": [{"name": "f", "input_schema": deep}]}),
        ("messages", {"max_tokens": 5, "messages": [{"role": "assistant", "content": [used]}]}),
    ):
        answer = CLIENT.post(f"{place.server.url}/v1/{path}", json={"model": "fake", **body})
        assert answer.status_code == 400, answer.text
    assert len(fake.record()) == calls


@cache
def swelling(coding: str) -> bytes:
    """A few bytes that would be 64 MiB."""
    zeros = b"0" * (64 * MIB)
    return zlib.compress(zeros) if coding == "deflate" else gzip.compress(zeros)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x, gzip"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/deploy", "/api/login"])
def test_nothing_that_is_packed_is_unpacked(
    place: Place, fake: Running, path: str, coding: str
) -> None:
    url = place.url if path == "/api/login" else place.server.url
    before, packed = memory_bytes(place.server), swelling(coding)
    sent = {**JSON, "Content-Encoding": coding}
    body = packed[: 4_000 if path == "/api/login" else None]
    answer = CLIENT.post(url + path, content=body, headers=sent)
    assert answer.status_code in (400, 415)
    assert memory_bytes(place.server) - before < 32 * MIB


def test_a_packed_websocket_message_swells_no_further_than_a_plain_one(place: Place) -> None:
    before = memory_bytes(place.server)
    shown = {"Cookie": place.cookie}
    for path in ("/_stcore/stream", "/api/guests/watch"):
        with (
            pytest.raises(ConnectionClosed),
            connect(
                place.url.replace("http", "ws", 1) + path,
                origin=Origin(place.url),
                additional_headers=shown,
                extensions=[ClientPerMessageDeflateFactory()],
                max_size=None,
            ) as socket,
        ):
            socket.send(b"\0" * (32 * MIB))
            while True:
                socket.recv(timeout=20)
    assert memory_bytes(place.server) - before < MOST_GROWTH
    answer = CLIENT.get(f"{place.url}/api/health", headers={"Cookie": place.cookie})
    assert answer.status_code == 200
