"""/v1 on the real server: what gets through to the engine and back, and what is refused."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.support.engines import KEY
from tests.support.fake_engine import Running
from tests.support.gateway import HELLO, events, post
from tests.support.server import Server


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
    assert answer.status_code in (404, 400)
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
    assert post(server, {**HELLO, "model": model}).status_code == 400
    assert post(server, {"messages": []}).status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        b'"Model": "fake"',
        b'"model": "fake"',
        b'"messages": [{"role": "user", "content": [{"image_url": {"url": "http://x"}}]}]',
        b'"messages": [{"role": "user", "content": [{"image_url": {"url": "file:///x"}}]}]',
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_what_an_engine_could_read_otherwise_or_would_fetch_never_reaches_it(
    server: Server, fake: Running, path: str, more: bytes
) -> None:
    calls = len(fake.record())
    answer = post(server, b'{"model": "fake", ' + more + b"}", path)
    assert answer.status_code == 400
    assert answer.json()["error"]["fix"]
    assert len(fake.record()) == calls


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
    ["/v1", "/v1/", "/v1/filesx", "/v1/chat", "/v1/models/no", "/v1/%2e%2e/api", "/v1//models"],
)
def test_no_other_path_gets_through(server: Server, fake: Running, path: str) -> None:
    calls = len(fake.record())
    for method in ("GET", "POST") if path != "/v1/models/no" else ("GET",):
        answer = httpx.request(method, server.url + path, json={})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
    assert len(fake.record()) == calls


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
def test_no_other_method_gets_through(
    server: Server, fake: Running, path: str, method: str
) -> None:
    answer = httpx.request(method, server.url + path)
    allowed = "GET" if path == "/v1/models" else "POST"
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


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
