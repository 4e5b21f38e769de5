"""/v1 on the real server, in front of a fake engine that misbehaves on demand."""

import contextlib
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.support.engines import KEY, register, register_process
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny

HELLO: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}]}
WELL = {
    "tokens": 20,
    "gap_ms": 0,
    "prefill_ms": 0,
    "status": 200,
    "error_after": -1,
    "cut_after": -1,
    "die_after": -1,
    "split_utf8": False,
    "text": "",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    write_tiny(home / "models" / "asleep.gguf")
    with running_server(home) as running:
        yield running


@pytest.fixture(scope="module")
def shared_fake(server: Server) -> Iterator[Running]:
    with running_fake() as fake:
        register(server.home, fake)
        yield fake


@pytest.fixture
def fake(shared_fake: Running) -> Running:
    shared_fake.behave(**WELL)
    return shared_fake


@pytest.fixture
def mortal(server: Server) -> Iterator[Running]:
    """A fake of its own, for tests that end it; its model is called mortal."""
    write_tiny(server.home / "models" / "mortal.gguf")
    with running_fake() as fake:
        register(server.home, fake, "mortal")
        yield fake


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="key-of-the-client", max_retries=0
    ) as made:
        yield made


def post(server: Server, body: Any, path: str = "/v1/chat/completions") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return httpx.post(server.url + path, content=content, headers=headers, timeout=30)


def events(answer: httpx.Response) -> list[Any]:
    """The JSON of every event; [DONE] as itself."""
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def test_the_list_names_running_models_only(client: openai.OpenAI, fake: Running) -> None:
    models = client.models.list().data
    assert [(model.id, model.owned_by) for model in models] == [("fake", "llamacpp")]


def test_a_stream_arrives_whole(client: openai.OpenAI, fake: Running) -> None:
    stream = client.chat.completions.create(**HELLO, stream=True, max_tokens=5)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == "t0 t1 t2 t3 t4 "


def test_an_answer_at_once_arrives_whole(client: openai.OpenAI, fake: Running) -> None:
    answer = client.chat.completions.create(**HELLO, max_tokens=3)
    assert answer.choices[0].message.content == "t0 t1 t2 "
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3


def test_a_text_is_continued(client: openai.OpenAI, fake: Running) -> None:
    answer = client.completions.create(model="fake", prompt="Once", max_tokens=2)
    assert answer.choices[0].text == "t0 t1 "


def test_tokens_come_one_by_one(server: Server, fake: Running) -> None:
    fake.behave(gap_ms=50, tokens=6)
    arrivals = []
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json={**HELLO, "stream": True}
    ) as r:
        arrivals = [time.monotonic() for line in r.iter_lines() if '"content": "t' in line]
    assert len(arrivals) == 6
    assert arrivals[-1] - arrivals[0] > 0.15


def test_characters_cut_in_two_on_the_way_arrive_whole(
    client: openai.OpenAI, fake: Running
) -> None:
    fake.behave(split_utf8=True, text="Grüße 你好 🙂")
    stream = client.chat.completions.create(**HELLO, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream) == "Grüße 你好 🙂 "


def test_the_engine_gets_its_own_key_and_none_of_the_clients_headers(
    server: Server, fake: Running
) -> None:
    headers = {"Authorization": "Bearer key-of-the-client", "Cookie": "a=b", "X-Berth-Role": "x"}
    httpx.post(f"{server.url}/v1/chat/completions", json=HELLO, headers=headers)
    call = fake.record()[-1]
    assert call["authorization"] == f"Bearer {KEY}"
    assert call["body"] == HELLO


def test_no_key_is_sent_back(server: Server, fake: Running) -> None:
    answer = post(server, HELLO)
    assert KEY not in answer.text + str(answer.headers)


def test_what_the_engine_refuses_is_passed_on(client: openai.OpenAI, fake: Running) -> None:
    long: ChatCompletionUserMessageParam = {"role": "user", "content": "word " * 5000}
    with pytest.raises(openai.BadRequestError, match="exceeds the available context"):
        client.chat.completions.create(model="fake", messages=[long])


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_every_status_of_the_engine_is_passed_on(
    server: Server, fake: Running, status: int
) -> None:
    fake.behave(status=status)
    for stream in (False, True):
        answer = post(server, {**HELLO, "stream": stream})
        assert answer.status_code == status
        assert answer.json()["error"]["message"] == "ordered by the test"


def test_an_unknown_model_is_not_found_and_the_running_ones_are_named(
    client: openai.OpenAI, fake: Running
) -> None:
    with pytest.raises(openai.NotFoundError, match="Running now: fake"):
        client.chat.completions.create(**{**HELLO, "model": "gpt-4"})


def test_a_stopped_model_is_unavailable_with_the_way_to_start_it(
    server: Server, fake: Running
) -> None:
    answer = post(server, {**HELLO, "model": "asleep"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_down"
    assert "/api/models/asleep/start" in answer.json()["error"]["fix"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a" * 10_000,
        "a\0b",
        "a;rm -rf ~",
        "$(id)",
        "\u202egpt",
        "",
        " fake",
        "fake\n",
        "http://127.0.0.1:1/v1",
        "@../fake",
    ],
    ids=ascii,
)
def test_a_name_that_is_none_is_not_found(server: Server, fake: Running, name: str) -> None:
    answer = post(server, {**HELLO, "model": name})
    assert answer.status_code in (404, 422)
    error = answer.json()["error"]
    assert error["message"]
    assert error["fix"]
    assert len(answer.text) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model": "fake"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model":' * 50_000,
        b"NaN",
        b"[]",
        b'"fake"',
        b"null",
        b"7",
    ],
    ids=lambda body: ascii(body[:12]),
)
def test_a_body_that_is_no_object_is_refused(server: Server, fake: Running, body: bytes) -> None:
    answer = post(server, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("model", [None, 7, ["fake"], {"name": "fake"}, True])
def test_a_model_that_is_no_text_is_refused(server: Server, fake: Running, model: Any) -> None:
    assert post(server, {**HELLO, "model": model}).status_code == 422
    assert post(server, {"messages": []}).status_code == 422


def test_a_body_that_is_too_large_is_refused_whether_announced_or_not(
    server: Server, fake: Running
) -> None:
    calls = len(fake.record())
    large = b"x" * (17 * 2**20)
    assert post(server, large).status_code == 413

    def in_pieces() -> Iterator[bytes]:
        yield from (large[: 2**20] for _ in range(17))

    headers = {"Content-Type": "application/json"}
    url = f"{server.url}/v1/chat/completions"
    assert httpx.post(url, content=in_pieces(), headers=headers).status_code == 413
    assert len(fake.record()) == calls


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/files", "/v1/chat", "/v1/models/fake", "/v1/%2e%2e/api", "/v1//models"],
)
def test_no_other_path_gets_through(server: Server, fake: Running, path: str) -> None:
    calls = len(fake.record())
    for method in ("GET", "POST"):
        answer = httpx.request(method, server.url + path, json={})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
    assert len(fake.record()) == calls


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
def test_no_other_method_gets_through(
    server: Server, fake: Running, path: str, method: str
) -> None:
    assert httpx.request(method, server.url + path).status_code == 405


def test_an_engine_that_dies_in_mid_answer_ends_the_stream_with_an_error(
    server: Server, mortal: Running
) -> None:
    mortal.behave(die_after=3)
    answer = post(server, {**HELLO, "model": "mortal", "stream": True})
    got = events(answer)
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
    assert events(post(server, {**HELLO, "stream": True}))[-1]["error"]["code"] == "engine_failed"


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


def test_many_streams_at_once_all_arrive(server: Server, fake: Running) -> None:
    fake.behave(gap_ms=10, tokens=20)
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(server, {**HELLO, "stream": True})))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [events(answer)[-1] for answer in answers] == ["[DONE]"] * 40


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
            rest = [line for line in lines if line.startswith("data: ")]
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
