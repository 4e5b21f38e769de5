"""/v1 when something breaks off: an engine dies, a client leaves, the server is stopped."""

import contextlib
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.support.engines import register, register_process
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, WELL, broken_off, events, post
from tests.support.server import Server, running_server


def test_an_engine_that_dies_in_mid_answer_ends_the_stream_with_an_error(
    server: Server, mortal: Running
) -> None:
    mortal.behave(die_after=3)
    got = broken_off(server, {**HELLO, "model": "mortal", "stream": True})
    assert [e["choices"][0]["delta"]["content"] for e in got[1:4]] == ["t0 ", "t1 ", "t2 "]
    assert got[-1]["error"]["code"] == "engine_failed"
    assert got[-1]["error"]["fix"]


def test_the_official_client_raises_what_the_stream_says(
    client: openai.OpenAI, mortal: Running
) -> None:
    mortal.behave(die_after=3)
    stream = client.chat.completions.create(**{**HELLO, "model": "mortal"}, stream=True)
    with pytest.raises(openai.APIError, match="ended before its answer did"):
        list(stream)


def test_a_stream_that_ends_early_though_orderly_is_an_error_too(
    server: Server, fake: Running
) -> None:
    fake.behave(cut_after=3)
    got = broken_off(server, {**HELLO, "stream": True})
    assert got[-1]["error"]["code"] == "engine_failed"


def test_an_error_that_the_engine_tells_itself_arrives_once(server: Server, fake: Running) -> None:
    fake.behave(error_after=3)
    got = broken_off(server, {**HELLO, "stream": True})
    assert [event["error"]["message"] for event in got if "error" in event] == [
        "ordered by the test"
    ]


def test_a_reply_with_its_finish_reason_is_whole_although_the_engine_ends_without_a_word(
    server: Server, fake: Running
) -> None:
    fake.behave(tokens=3, without_done=True)
    assert events(post(server, {**HELLO, "stream": True}))[-1] == "[DONE]"


def test_an_engine_that_is_gone_is_unavailable(server: Server, mortal: Running) -> None:
    assert post(server, {**HELLO, "model": "mortal"}).status_code == 200
    mortal.process.kill()
    mortal.process.wait()
    answer = post(server, {**HELLO, "model": "mortal"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_down"


def test_a_model_that_moved_is_found_at_its_new_place_at_once(server: Server) -> None:
    with running_fake() as first:
        register(server.home, first, "moving")
        assert post(server, {**HELLO, "model": "moving"}).status_code == 200
    with running_fake() as second:
        register(server.home, second, "moving")
        assert post(server, {**HELLO, "model": "moving"}).status_code == 200
        assert second.record()[-1]["ended"] == "done"


def test_a_model_whose_place_somebody_else_has_taken_is_found_at_its_new_one(
    server: Server,
) -> None:
    with running_fake() as first, running_fake() as second:
        register(server.home, first, "replaced")
        assert post(server, {**HELLO, "model": "replaced"}).status_code == 200
        first.behave(key="of-another-model")
        register(server.home, second, "replaced")
        assert post(server, {**HELLO, "model": "replaced"}).status_code == 200
        assert second.record()[-1]["ended"] == "done"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_before_the_first_token_ends_the_engines_work(
    server: Server, fake: Running, stream: bool
) -> None:
    fake.behave(prefill_ms=20_000)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{server.url}/v1/chat/completions", json={**HELLO, "stream": stream}, timeout=0.5
        )
    assert fake.last_call("left", within_seconds=5)["tokens_sent"] == 0


def test_a_client_that_leaves_in_mid_stream_ends_the_engines_work(
    server: Server, fake: Running
) -> None:
    fake.behave(gap_ms=20, tokens=2_000)
    url, body = f"{server.url}/v1/chat/completions", {**HELLO, "stream": True}
    with httpx.stream("POST", url, json=body) as answer:
        next(answer.iter_lines())
    assert fake.last_call("left", within_seconds=5)["tokens_sent"] < 1_000


def test_a_client_that_leaves_in_mid_body_reaches_no_engine(server: Server, fake: Running) -> None:
    calls = len(fake.record())
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {server.host}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode())
        time.sleep(0.1)
    assert post(server, HELLO).status_code == 200
    assert len(fake.record()) == calls + 1
    assert "Traceback" not in server.output


@contextlib.contextmanager
def engine_that_hangs_up() -> Iterator[str]:
    """Answers the first request on a connection and closes it when the second has come."""
    body = b'{"choices": []}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if self.rfile.read1():
                self.wfile.write(answer % (len(body), body))
                self.rfile.read1()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        listener.block_on_close = False
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


def test_a_kept_connection_that_the_engine_closes_is_replaced(server: Server) -> None:
    with engine_that_hangs_up() as url:
        register_process(server.home, os.getpid(), url, "hasty")
        for _ in range(4):
            assert post(server, {**HELLO, "model": "hasty"}).status_code == 200


def test_stopping_the_server_ends_an_open_stream_with_words(
    home: Path, shared_fake: Running
) -> None:
    shared_fake.behave(**{**WELL, "gap_ms": 20, "tokens": 3_000})
    with running_server(home) as server:
        register(home, shared_fake)
        url, body = f"{server.url}/v1/chat/completions", {**HELLO, "stream": True}
        with httpx.stream("POST", url, json=body, timeout=30) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.process.terminate()
            rest: list[str] = []
            with pytest.raises(httpx.RemoteProtocolError):
                rest += (line for line in lines if line.startswith("data: "))
        assert json.loads(rest[-1][6:])["error"]["message"] == "Berth is stopping."
        server.stop()
        assert "Traceback" not in server.output
    shared_fake.last_call("left")


def test_stopping_the_server_does_not_wait_for_a_first_token(
    home: Path, shared_fake: Running
) -> None:
    shared_fake.behave(**{**WELL, "prefill_ms": 20_000})
    with running_server(home) as server:
        register(home, shared_fake)
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(post(server, HELLO)))
        asking.start()
        give_up_at = time.monotonic() + 10
        while shared_fake.record()[-1]["ended"] != "running":
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        server.stop()
        asking.join()
        assert answers[0].status_code == 502
        assert answers[0].json()["error"]["message"] == "Berth is stopping."
        assert "Traceback" not in server.output
