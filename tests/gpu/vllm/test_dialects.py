"""Every dialect through the gateway to a real vLLM, by the official clients."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from lib.engines.base import State
from tests.support.server import Server, running_server
from tests.support.vllm_real import Real

SAID = "What is the capital of France?"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@pytest.fixture(scope="module")
def server(started: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Berth on the machine whose slot the engine runs on."""
    assert started.model().state == State.READY
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.fixture
def name(server: Server) -> str:
    """What the gateway calls its model."""
    listed = httpx.get(f"{server.url}/v1/models").json()["data"]
    [model] = [one for one in listed if one["state"] == "running"]
    return str(model["id"])


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as made:
        yield made


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0) as made:
        yield made


def test_chat_in_both_ways_with_newer_clients_fields(client: openai.OpenAI, name: str) -> None:
    said: Any = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": SAID}]
    answer = client.chat.completions.create(
        model=name,
        messages=said,
        max_completion_tokens=5,
        logprobs=True,
        top_logprobs=2,
    )
    assert answer.usage is not None and answer.usage.completion_tokens == 5
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].logprobs is not None
    stream = client.chat.completions.create(
        model=name,
        messages=said,
        max_completion_tokens=5,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 5
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"


def test_a_schema_holds(client: openai.OpenAI, name: str) -> None:
    schema: Any = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    schema["additionalProperties"] = False
    answer = client.chat.completions.create(
        model=name,
        messages=[{"role": "user", "content": SAID}],
        max_tokens=300,  # the weights are random: it may write blanks for long
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content or "") in ({"n": 1}, {"n": 2})


def test_completions(client: openai.OpenAI, name: str) -> None:
    answer = client.completions.create(model=name, prompt="Once", max_tokens=4, stop=["", "zz"])
    assert answer.usage is not None and answer.usage.completion_tokens <= 4


def test_responses_in_both_ways(client: openai.OpenAI, name: str) -> None:
    answer = client.responses.create(model=name, input=SAID, max_output_tokens=5)
    assert answer.status == "incomplete" and answer.output_text
    with client.responses.stream(model=name, input=SAID, max_output_tokens=5) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert "".join(pieces) == stream.get_final_response().output_text


def test_messages_in_both_ways_and_their_length(claude: anthropic.Anthropic, name: str) -> None:
    said: list[anthropic.types.MessageParam] = [{"role": "user", "content": SAID}]
    answer = claude.messages.create(model=name, messages=said, system="Be brief.", max_tokens=5)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 5)
    counted = claude.messages.count_tokens(model=name, messages=said, system="Be brief.")
    assert counted.input_tokens == answer.usage.input_tokens
    with claude.messages.stream(model=name, messages=said, max_tokens=5) as stream:
        pieces = "".join(stream.text_stream)
        [block] = stream.get_final_message().content
        assert block.type == "text" and block.text == pieces


def test_a_tool_that_must_be_called(claude: anthropic.Anthropic, name: str) -> None:
    """The model is one of random weights: the engine is what makes it call."""
    wish: Any = {"tools": [{"name": "weather", "input_schema": WEATHER}]}
    wish["tool_choice"] = {"type": "tool", "name": "weather"}
    with pytest.raises(anthropic.APIStatusError) as refused:
        claude.messages.create(
            model=name,
            messages=[{"role": "user", "content": SAID}],
            max_tokens=60,
            **wish,
        )
    assert refused.value.status_code in (400, 404) and str(refused.value)


def test_what_does_not_fit_is_refused_in_the_dialects_words(
    client: openai.OpenAI, claude: anthropic.Anthropic, name: str
) -> None:
    with pytest.raises(openai.BadRequestError, match="context length"):
        client.responses.create(model=name, input="word " * 2_000)
    with pytest.raises(anthropic.BadRequestError, match="context length"):
        claude.messages.create(
            model=name, messages=[{"role": "user", "content": "word " * 2_000}], max_tokens=5
        )
