"""/v1/responses and /v1/messages, by the official clients and to the letter."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.support.fake_engine import Running
from tests.support.gateway import broken_off, post
from tests.support.server import Server

RESPONSES: dict[str, Any] = {"model": "fake", "input": "Hello there"}
MESSAGES: dict[str, Any] = {
    "model": "fake",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello there"}],
}
BY_PATH = pytest.mark.parametrize(
    ("path", "body"), [("/v1/responses", RESPONSES), ("/v1/messages", MESSAGES)]
)


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="key-of-the-client", max_retries=0) as c:
        yield c


def test_a_response_arrives_whole(client: openai.OpenAI, fake: Running) -> None:
    fake.behave(tokens=3)
    answer = client.responses.create(model="fake", input="Hello", max_output_tokens=9)
    assert (answer.output_text, answer.status) == ("t0 t1 t2 ", "completed")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_a_streamed_response_arrives_whole(client: openai.OpenAI, fake: Running) -> None:
    fake.behave(tokens=3)
    with client.responses.stream(model="fake", input="Hello") as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "t0 t1 t2 "
    assert kinds.count("response.output_text.delta") == 3
    assert kinds[-1] == "response.completed"


def test_a_response_that_was_cut_is_incomplete(client: openai.OpenAI, fake: Running) -> None:
    answer = client.responses.create(model="fake", input="Hello", max_output_tokens=3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    stream = client.responses.create(model="fake", input="Hello", max_output_tokens=3, stream=True)
    last = list(stream)[-1]
    assert last.type == "response.incomplete"
    assert last.response.status == "incomplete"


def test_a_message_arrives_whole(claude: anthropic.Anthropic, fake: Running) -> None:
    fake.behave(tokens=3)
    answer = claude.messages.create(**MESSAGES)
    assert answer.content[0].text == "t0 t1 t2 "
    assert (answer.stop_reason, answer.usage.output_tokens) == ("end_turn", 3)


def test_a_streamed_message_arrives_whole(claude: anthropic.Anthropic, fake: Running) -> None:
    fake.behave(tokens=3)
    with claude.messages.stream(**MESSAGES) as stream:
        assert "".join(stream.text_stream) == "t0 t1 t2 "
        assert stream.get_final_message().stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [True, False])
def test_a_message_that_a_stop_text_has_ended_says_so(
    claude: anthropic.Anthropic, fake: Running, stream: bool
) -> None:
    asked = {**MESSAGES, "stop_sequences": ["", "END"]}
    if stream:
        with claude.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = claude.messages.create(**asked)
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    assert fake.record()[-1]["body"]["stop_sequences"] == ["END"]


def test_tokens_of_a_message_are_counted(claude: anthropic.Anthropic, fake: Running) -> None:
    counted = claude.messages.count_tokens(model="fake", messages=MESSAGES["messages"])
    assert counted.input_tokens == 2


def test_errors_are_anthropics_where_it_is_asked_so(
    claude: anthropic.Anthropic, server: Server, fake: Running
) -> None:
    with pytest.raises(anthropic.NotFoundError, match="There is no model") as missing:
        claude.messages.create(**{**MESSAGES, "model": "nobody"})
    assert missing.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        claude.messages.create(**{**MESSAGES, "max_tokens": 0})
    fake.behave(status=500)
    with pytest.raises(anthropic.InternalServerError, match="ordered by the test"):
        claude.messages.create(**MESSAGES)
    fake.behave(status=200)
    refused = post(server, {**MESSAGES, "messages": []}, "/v1/messages").json()
    assert (refused["type"], refused["error"]["type"]) == ("error", "invalid_request_error")


@BY_PATH
def test_an_engine_that_dies_in_mid_stream_is_told_once_and_broken_off(
    server: Server, mortal: Running, path: str, body: dict[str, Any]
) -> None:
    mortal.behave(die_after=3)
    got = broken_off(server, {**body, "model": "mortal", "stream": True}, path)
    assert [event["type"] for event in got if "error" in event] == ["error"]
    assert "ended before its answer did" in got[-1]["error"]["message"]


@BY_PATH
def test_a_stream_without_its_last_event_is_broken_off(
    server: Server, fake: Running, path: str, body: dict[str, Any]
) -> None:
    fake.behave(cut_after=3)
    assert broken_off(server, {**body, "stream": True}, path)[-1]["type"] == "error"


def test_the_official_clients_raise_what_the_stream_says(
    client: openai.OpenAI, claude: anthropic.Anthropic, fake: Running
) -> None:
    fake.behave(cut_after=3)
    with pytest.raises(openai.APIError, match="ended before its answer did"):
        list(client.responses.create(model="fake", input="Hello", stream=True))
    with pytest.raises(anthropic.APIStatusError, match="ended before its answer did"):
        list(claude.messages.create(**MESSAGES, stream=True))


@BY_PATH
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_engines_work(
    server: Server, fake: Running, path: str, body: dict[str, Any], stream: bool
) -> None:
    fake.behave(prefill_ms=20_000)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + path, json={**body, "stream": stream}, timeout=0.5)
    assert fake.last_call("left", within_seconds=5)["tokens_sent"] == 0
