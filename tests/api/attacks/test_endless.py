"""Streams that nobody reads, engines that never end, and more connections than there are files."""

import contextlib
import json
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.attacks import (
    CLIENT,
    Place,
    address_of,
    endless_engine,
    memory_bytes,
    request,
    until_it_stands_still,
)
from tests.support.engines import register, register_process
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, WELL
from tests.support.guests import shared_server, signed_in
from tests.support.server import Server, running_server
from tests.support.session import opened

MIB = 2**20
MOST_WAITING = 16 * MIB  # between an engine and a client that does not read
WORDS = 2_500  # of 10 KiB each: more than the buffers of two sockets hold
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
MANY, IN_RESERVE = 10_000, 600
SOON = {"BERTH_HEADER_SECONDS": "0.5"}
LATE = {"BERTH_HEADER_SECONDS": "120"}
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Running]]:
    """A Berth that waits three seconds for whoever does not read, and an engine with one place."""
    home = tmp_path_factory.mktemp("berth")
    with running_fake() as fake, running_server(home, SOON) as server:
        register(home, fake)
        yield server, fake


@contextlib.contextmanager
def asked_and_not_read(server: Server, body: bytes) -> Iterator[socket.socket]:
    """A client that asks for a stream and reads nothing of it."""
    shown = (f"Host: {server.host}", "Content-Type: application/json")
    head = request(
        "POST /v1/chat/completions HTTP/1.1", *shown, f"Content-Length: {len(body)}", body=body
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(address_of(server.url))
        connection.sendall(head)
        yield connection


def test_a_client_that_never_reads_fills_no_memory_and_loses_its_place(
    hasty: tuple[Server, Running],
) -> None:
    server, fake = hasty
    fake.behave(**{**WELL, "tokens": WORDS, "text": " ".join(["x" * 10_240] * WORDS)})
    before = memory_bytes(server)
    with asked_and_not_read(server, json.dumps({**HELLO, "stream": True}).encode()):
        told = until_it_stands_still(lambda: fake.record()[-1]["tokens_sent"])
        assert 0 < told < WORDS
        assert memory_bytes(server) - before < MOST_WAITING
        fake.behave(**WELL)
        answer = CLIENT.post(f"{server.url}/v1/chat/completions", json=HELLO, timeout=60)
        assert answer.status_code == 200  # though the engine takes one at a time
        assert [call["ended"] for call in fake.record()[-2:]] == ["left", "done"]


@pytest.mark.parametrize("stream", [True, False])
def test_an_engine_that_never_ends_a_line_or_an_answer_is_broken_off(
    place: Place, stream: bool
) -> None:
    """It may stand on another machine, which is not the owner's."""
    before, name = memory_bytes(place.server), "endless-stream" if stream else "endless-answer"
    with endless_engine(SSE if stream else WHOLE, b"x" * MIB) as url:
        register_process(place.server.home, os.getpid(), url, name)
        body = {**HELLO, "model": name, "stream": stream}
        asked = f"{place.server.url}/v1/chat/completions"
        with httpx.stream("POST", asked, json=body, timeout=60) as answer:
            told = b""
            with contextlib.suppress(httpx.RemoteProtocolError):
                for piece in answer.iter_bytes():
                    told += piece
        assert answer.status_code == (200 if stream else 502)
        assert b"endless_answer" in told
        assert len(told) < MIB
    assert memory_bytes(place.server) - before < 320 * MIB


@pytest.fixture
def files() -> Iterator[int]:
    """How many connections this process may open here: 10,000 where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard - IN_RESERVE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most + IN_RESERVE), hard))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_connections_that_say_nothing_leave_the_owner_served(
    tmp_path: Path, files: int
) -> None:
    """From many addresses, where the system has them; each guest has places of its own."""
    with shared_server(tmp_path / "shared", world=LATE) as (server, url):
        cookie = signed_in(url)
        with contextlib.ExitStack() as stack:
            for number in range(files):
                with contextlib.suppress(OSError):  # refused, or closed again already
                    stack.enter_context(half_open(url, number)).send(HALF)
            assert_served(server)
        health = CLIENT.get(f"{url}/api/health", headers={"Cookie": cookie}, timeout=30)
        assert health.status_code == 200
        assert "Too many open files" not in server.output
        assert "Traceback" not in server.output


def half_open(url: str, number: int) -> socket.socket:
    """A connection from one of many addresses of this machine, or from the only one."""
    made = socket.socket()
    made.settimeout(5)
    with contextlib.suppress(OSError):
        made.bind((f"127.0.{10 + number // 200 % 100}.{number % 200 + 1}", 0))
    try:
        made.connect(address_of(url))
    except OSError:
        made.close()
        raise
    return made


def assert_served(server: Server) -> None:
    assert CLIENT.get(f"{server.url}/api/system", timeout=30).status_code == 200
    with opened(server) as tab:
        tab.run("System")
        assert tab.texts
