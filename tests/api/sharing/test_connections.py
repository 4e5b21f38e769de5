"""Connections that never say what they want: counted, closed in time, and in nobody's way."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.guests import shared_server, signed_in, websocket
from tests.support.server import Server, running_server
from tests.support.session import opened

HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "
SOON = {"BERTH_HEADER_SECONDS": "1"}
LATE = {"BERTH_HEADER_SECONDS": "120"}
Address = tuple[str, int]


@contextlib.contextmanager
def half_open(address: Address, number: int, said: bytes = HALF) -> Iterator[list[socket.socket]]:
    """So many connections that have begun to say something."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(number):
            made.append(stack.enter_context(socket.create_connection(address, timeout=30)))
            with contextlib.suppress(OSError):  # it may be closed already
                made[-1].sendall(said)
        yield made


def heard(one: socket.socket) -> bytes:
    """All that the server says before it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while more := one.recv(65_536):
            said += more
    return said


def is_open(one: socket.socket) -> bool:
    """Does the server hold it, whatever it has said?"""
    one.setblocking(False)
    try:
        while one.recv(65_536):
            pass
        return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def _at(url: str) -> Address:
    host, _, port = url.partition("//")[2].partition(":")
    return host, int(port)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth"), SOON) as running:
        yield running


@pytest.mark.parametrize(
    "said",
    [b"", HALF, b"\r\n", b"GET / HTTP/1.1\r\n"],
    ids=["nothing", "half a header", "an empty line", "a first line"],
)
def test_who_does_not_send_a_whole_header_in_time_is_closed(server: Server, said: bytes) -> None:
    with half_open(_at(server.url), 3, said) as connections:
        assert [heard(one) for one in connections] == [b""] * 3


def test_single_bytes_do_not_gain_time(server: Server) -> None:
    with half_open(_at(server.url), 1) as (one,):
        one.settimeout(0.2)
        give_up_at = time.monotonic() + 20
        while is_open(one):
            assert time.monotonic() < give_up_at
            with contextlib.suppress(ConnectionError, BlockingIOError):
                one.send(b"x")
            time.sleep(0.1)


def test_a_second_request_has_its_time_too(server: Server) -> None:
    whole = f"GET /api/health HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode()
    with half_open(_at(server.url), 1, whole + HALF) as (one,):
        assert heard(one).count(b"HTTP/1.1 200") == 1


def test_a_body_may_not_stand_still(server: Server) -> None:
    start = f"POST /api/deploy HTTP/1.1\r\nHost: {server.host}\r\n"
    said = f"{start}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode()
    with half_open(_at(server.url), 1, said) as (one,):
        one.settimeout(30)
        assert heard(one) == b""


def test_a_header_has_its_size(server: Server) -> None:
    start = f"GET /api/health HTTP/1.1\r\nHost: {server.host}\r\n".encode()
    for size, status in ((60_000, b"200"), (70_000, b"431"), (2_000_000, b"431")):
        end = b"Connection: close\r\n\r\n"
        said = start + b"X-Large: " + b"x" * size + b"\r\n" + end
        with half_open(_at(server.url), 1, said) as (one,):
            answer = heard(one)
            # What was not read when the server closed takes its answer along.
            assert answer.startswith(b"HTTP/1.1 " + status) or (answer == b"" and size > 10**6)


def test_many_small_headers_are_large_too(server: Server) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    said = f"GET /api/health HTTP/1.1\r\nHost: {server.host}\r\n".encode() + many + b"\r\n"
    with half_open(_at(server.url), 1, said) as (one,):
        assert heard(one)[:12] in (b"HTTP/1.1 431", b"")


def test_a_reply_and_a_page_outlive_the_deadline(server: Server) -> None:
    with opened(server) as tab:
        tab.run("System")
        time.sleep(1.5)  # longer than a header may take
        tab.run("System")


def test_a_large_body_is_refused_in_words_though_it_comes_slowly(server: Server) -> None:
    def slowly() -> Iterator[bytes]:
        for _ in range(25):
            yield b"x" * 2**20
            time.sleep(0.08)

    url = f"{server.url}/v1/chat/completions"
    answer = httpx.post(url, content=slowly(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_eleven_hundred_half_requests_do_not_keep_the_owner_out(home: Path) -> None:
    with shared_server(home, world=LATE, files=1_024) as (server, url):
        cookie = signed_in(url)
        with half_open(_at(server.url), 600), half_open(_at(url), 500) as at_guests:
            assert httpx.get(f"{server.url}/api/system").status_code == 200
            with opened(server) as tab:
                tab.run("System")
            assert sum(map(is_open, at_guests)) <= 64
        answer = httpx.get(f"{url}/api/health", headers={"Cookie": cookie})
        assert answer.status_code == 200
        assert "Too many open files" not in server.output
        assert "Traceback" not in server.output


def test_one_address_has_so_many_places_and_gets_them_back(home: Path) -> None:
    with shared_server(home, world=LATE) as (_, url):
        cookie = signed_in(url)
        with contextlib.ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(websocket(url, "/api/guests/watch", cookie))
            refused = httpx.get(url)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "too_many_connections"
        give_up_at = time.monotonic() + 15
        while httpx.get(f"{url}/api/health", headers={"Cookie": cookie}).status_code != 200:
            assert time.monotonic() < give_up_at
            time.sleep(0.1)


def test_the_limit_of_files_is_raised_as_far_as_it_goes(home: Path) -> None:
    with running_server(home) as server:
        limits = Path(f"/proc/{server.process.pid}/limits")
        if limits.exists():  # where the system tells of others
            line = next(t for t in limits.read_text().splitlines() if t.startswith("Max open"))
            soft, hard = line.split()[3:5]
            assert int(soft) == min(int(hard), 65_536)
