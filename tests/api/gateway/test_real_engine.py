"""/v1/responses and /v1/messages with the built-in engine itself, where a fake proves nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.support.server import Server, running_server
from tests.support.waiting import until

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, starter_file: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    (home / "models").mkdir()
    (home / "models" / "starter.gguf").symlink_to(starter_file)
    with running_server(home) as running:
        address = f"{running.url}/api/models/starter"
        started = httpx.post(f"{address}/start", json={"context": 2_048}, timeout=120)
        assert started.status_code == 200, started.text
        yield running
        httpx.post(f"{address}/stop", json={}, timeout=60)


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0) as made:
        yield made


def test_a_response_keeps_to_its_schema(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="starter",
        input=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        text={"format": {"type": "json_schema", "name": "x", "schema": COLOUR, "strict": True}},
        temperature=0,
        max_output_tokens=40,
    )
    assert json.loads(answer.output_text)["colour"] in ("red", "blue")


def asked_as(client: openai.OpenAI, schema: dict[str, Any], question: str) -> str:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = client.chat.completions.create(
        model="starter",
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=120,
        extra_body={"response_format": wanted},
    )
    return answer.choices[0].message.content or ""


def test_a_pattern_is_held_that_the_engine_by_itself_overlooks(client: openai.OpenAI) -> None:
    day = {"type": "string", "pattern": r"^\d{4}-\d{2}$"}
    schema = {"type": "object", "properties": {"month": day}, "required": ["month"]}
    said = asked_as(client, schema, "Which month was the first of May 2024 in? In words.")
    assert re.fullmatch(r"\d{4}-\d{2}", json.loads(said)["month"])


def test_a_schema_that_refers_to_itself_is_no_riddle(client: openai.OpenAI) -> None:
    name = {"type": "string", "pattern": "[A-Z]", "maxLength": 20}
    schema = {"type": "object", "properties": {"name": name, "child": {"$ref": "#"}}}
    said = asked_as(client, {**schema, "required": ["name"]}, "Ann has a child, Bob.")
    assert re.search("[A-Z]", json.loads(said)["name"])


def test_a_schema_that_nothing_is_like_is_refused_by_its_keyword(client: openai.OpenAI) -> None:
    age = {"type": "integer", "minimum": 5, "maximum": 3}
    schema = {"type": "object", "properties": {"age": age}}
    with pytest.raises(openai.BadRequestError, match="“minimum” of age"):
        asked_as(client, {**schema, "required": ["age"]}, "Hi")


def test_the_official_client_puts_a_streamed_response_together(client: openai.OpenAI) -> None:
    asked = "Say only: yes"
    with client.responses.stream(model="starter", input=asked, max_output_tokens=60) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert stream.get_final_response().output_text == "".join(pieces) != ""


def test_a_response_that_was_cut_says_so(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="starter", input="Count from one to a hundred.", max_output_tokens=4
    )
    assert answer.status == "incomplete"


def test_a_message_says_why_it_ended_and_how_long_it_was(claude: anthropic.Anthropic) -> None:
    said: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Tell me of the sea."}]
    stops = ["", "e"]  # nobody writes sixty tokens without one
    answer = claude.messages.create(
        model="starter",
        messages=said,
        max_tokens=60,
        stop_sequences=stops,
        extra_body={"temperature": 0},
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "e")
    counted = claude.messages.count_tokens(model="starter", messages=said).input_tokens
    known = answer.usage.cache_read_input_tokens or 0
    assert answer.usage.input_tokens + known == counted


def test_what_does_not_fit_is_refused_in_anthropics_words(claude: anthropic.Anthropic) -> None:
    said: list[anthropic.types.MessageParam] = [{"role": "user", "content": "word " * 3_000}]
    with pytest.raises(anthropic.BadRequestError, match="exceeds the available context size"):
        claude.messages.create(model="starter", messages=said, max_tokens=5)


def test_a_model_that_writes_gives_no_vectors_and_is_not_asked_again(
    client: openai.OpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="does not support embeddings"):
        client.embeddings.create(model="starter", input="Hello")


def test_the_list_tells_of_tools(client: openai.OpenAI) -> None:
    told = client.models.retrieve("starter").model_extra or {}
    assert (told["tools"], told["context_length"]) == (True, 2_048)


def test_a_time_that_changes_leaves_the_rest_of_an_agents_prompt_known(
    claude: anthropic.Anthropic,
) -> None:
    rest = "You are a careful agent. " * 20

    def known(second: str) -> tuple[int, int]:
        line = f"Current time: 2026-11-28T10:15:{second}Z"
        answer = claude.messages.create(
            model="starter",
            system=[{"type": "text", "text": line}, {"type": "text", "text": rest}],
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=2,
        )
        return answer.usage.cache_read_input_tokens or 0, answer.usage.input_tokens

    known("02")
    was_known, was_new = known("31")
    assert was_known > 60 > was_new


def test_a_stopped_model_is_loaded_for_a_stream_that_is_told_so_and_comes_whole(
    server: Server, client: openai.OpenAI
) -> None:
    stop(server)
    long = "Repeat the word yes. " * 60
    said: list[ChatCompletionMessageParam] = [{"role": "user", "content": long}]
    with client.chat.completions.with_streaming_response.create(
        model="starter", messages=said, max_tokens=12, stream=True
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    told = [line for line in lines if line.startswith(":")]
    words = r": (loading( \d+ %)?|reading the prompt( \d+ of \d+)?)"
    assert told and all(re.fullmatch(words, line) for line in told), told
    assert lines[-1] == "data: [DONE]"
    stop(server)
    stream = client.chat.completions.create(
        model="starter", messages=said, max_tokens=12, stream=True, temperature=0
    )
    chunks = [chunk for chunk in stream if chunk.choices]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_a_client_that_leaves_ends_the_work_of_the_real_engine(
    server: Server, client: openai.OpenAI, moment: str
) -> None:
    asked = "Write down the numbers from one to a thousand, each in words."
    said: list[ChatCompletionMessageParam] = [{"role": "user", "content": asked}]
    with client.chat.completions.with_streaming_response.create(
        model="starter", messages=said, max_tokens=2_000, stream=True
    ) as answer:
        until(lambda: is_busy(server), "work")
        if moment == "writing":
            next(line for line in answer.iter_lines() if "delta" in line)
    # While it reads, the engine looks up at the end of a batch alone.
    until(lambda: not is_busy(server), "the end of the work")


def stop(server: Server) -> None:
    httpx.post(f"{server.url}/api/models/starter/stop", json={}, timeout=60).raise_for_status()


def is_busy(server: Server) -> bool:
    """By the engine's own word."""
    record = json.loads((server.home / "engines" / "starter.json").read_text())
    key = (server.home / "engines" / "starter.key").read_text().strip()
    address = f"http://127.0.0.1:{record['port']}/slots"
    slots = httpx.get(address, headers={"Authorization": f"Bearer {key}"}, timeout=30).json()
    return any(slot["is_processing"] for slot in slots)
