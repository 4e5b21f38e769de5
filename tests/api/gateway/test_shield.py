"""What programs send of which no engine may get anything, on the real server, in every dialect."""

import json
from typing import Any

import httpx
import pytest

from tests.support.fake_engine import Running
from tests.support.gateway import post
from tests.support.server import Server

MARK = "must-not-arrive"
SAID = [{"role": "user", "content": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": SAID},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/rerank": {"query": "Hello", "documents": ["a"]},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": SAID, "max_tokens": 5},
    "/v1/messages/count_tokens": {"messages": SAID},
}
NAMES = (
    "id_slot", "slot_id", "slot", "slot_save_path", "slot_restore", "filename", "cache_prompt",
    "n_cache_reuse", "lora", "lora_adapters", "lora_request", "adapters", "control_vectors",
    "grammar", "grammar_lazy", "grammar_triggers", "preserved_tokens", "json_schema", "samplers",
    "speculative.n_max", "model_path", "mmproj", "hf_repo", "chat_template", "chat_template_file",
    "n_probs", "post_sampling_probs", "t_max_predict_ms", "dry_sequence_breakers", "guided_json",
    "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "prompt_embeds",
    "mm_processor_kwargs", "media_io_kwargs", "kv_transfer_params", "vllm_xargs", "cache_salt",
    "logits_processors", "priority", "request_id", "documents_path", "tokenizer", "options",
    "keep_alive", "template", "raw", "format", "context", "api_base", "base_url", "api_key",
)  # fmt: skip
PATHS = pytest.mark.parametrize("path", list(BODIES))
KNOWN_INSIDE = ("json_schema", "format", "base_url")  # and refused with such a value


def arrived(fake: Running, calls: int) -> str:
    """Everything that the engine has got since."""
    return json.dumps(fake.record()[calls:])


@PATHS
def test_no_field_of_the_engines_own_arrives_at_the_top(
    server: Server, fake: Running, path: str
) -> None:
    calls = len(fake.record())
    for name in NAMES:
        answer = post(server, {"model": "fake", **BODIES[path], name: MARK}, path)
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert answer.headers["berth-ignored"] == name
        else:
            assert answer.json()["error"]["param"] == name
    assert MARK not in arrived(fake, calls)
    assert len(fake.record()) > calls


def inside(name: str) -> dict[str, Any]:
    return {name: MARK, f"x.{name}": {name: [MARK]}}


def nestings(more: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Requests that honest ones could be, each with something more at one of its places."""
    text = {"type": "text", "text": "a", **more}
    function = {"name": "f", "parameters": {"type": "object"}, **more}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", **more}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [text], **more}
    wanted = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}, **more}, **more}
    item = {"role": "user", "content": [{"type": "input_text", "text": "a", **more}], **more}
    chat: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "a", **more}]},
        {"messages": [{"role": "user", "content": [text]}]},
        {"messages": [*SAID, {"role": "assistant", "tool_calls": [{**call, **more}]}]},
        {"messages": SAID, "tools": [{"type": "function", "function": function, **more}]},
        {"messages": SAID, "response_format": wanted},
        {"messages": SAID, "stream": True, "stream_options": {"include_usage": True, **more}},
        {"messages": SAID, "chat_template_kwargs": {"enable_thinking": False, **more}},
    ]
    claude: list[dict[str, Any]] = [
        {"messages": [{**SAID[0], **more}]},
        {"messages": [{"role": "user", "content": [result]}]},
        {"messages": SAID, "system": [text]},
        {"messages": SAID, "tools": [{"name": "f", "input_schema": {}, **more}]},
        {"messages": SAID, "thinking": {"type": "enabled", "budget_tokens": 1, **more}},
    ]
    newer: list[dict[str, Any]] = [
        {"input": [item]},
        {"input": "a", "tools": [{"type": "function", **function}]},
        {"input": "a", "reasoning": {"effort": "low", **more}, "text": {**more}},
    ]
    return [
        *(("/v1/chat/completions", body) for body in chat),
        *(("/v1/messages", {"max_tokens": 5, **body}) for body in claude),
        *(("/v1/messages/count_tokens", body) for body in claude),
        *(("/v1/responses", body) for body in newer),
        ("/v1/rerank", {"query": "a", "documents": [{"text": "a", **more}]}),
    ]


@pytest.mark.parametrize(
    "names",
    [[name for name in NAMES if name not in KNOWN_INSIDE], *([name] for name in KNOWN_INSIDE)],
    ids=lambda names: names[0],
)
def test_no_field_of_the_engines_own_arrives_in_any_nesting(
    server: Server, fake: Running, names: list[str]
) -> None:
    calls = len(fake.record())
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for path, body in nestings({key: value for n in names for key, value in inside(n).items()}):
            answer = client.post(path, json={"model": "fake", **body})
            is_refused = answer.status_code == 400 and names[0] in KNOWN_INSIDE
            assert is_refused or answer.status_code == 200, answer.text
            assert is_refused or answer.headers["berth-ignored"]
    assert MARK not in arrived(fake, calls)
    assert len(fake.record()) > calls or names == ["base_url"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x.png", "https://example.org/x.png",
                                     "file:///x.png", "/x.png"])  # fmt: skip
@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/chat/completions", {"type": "image_url", "image_url": {"url": MARK}}),
        ("/v1/chat/completions", {"type": "image_url", "image_url": MARK}),
        ("/v1/responses", {"type": "input_image", "image_url": MARK}),
        ("/v1/messages", {"type": "image", "source": {"type": "url", "url": MARK}}),
    ],
)
def test_no_engine_fetches_a_picture(
    server: Server, fake: Running, path: str, part: dict[str, Any], address: str
) -> None:
    calls = len(fake.record())
    said = json.loads(json.dumps([{"role": "user", "content": [part]}]).replace(MARK, address))
    body = {"model": "fake", "max_tokens": 5, "messages": said, "input": said}
    answer = post(server, body, path)
    assert answer.status_code == 400
    assert "engines fetch nothing" in answer.json()["error"]["message"]
    assert len(fake.record()) == calls


@PATHS
@pytest.mark.parametrize(
    "more",
    [b'"x": NaN', b'"temperature": 1e999', b'"max_tokens": ' + b"9" * 400, b'"x": 1, "x": 1',
     b'"stream": "yes"', b'"model": "fake", "model": "fake"', b'"temperature": "\xff"',
     b'"messages": 7, "prompt": 7, "input": 7, "query": 7'],
    ids=lambda more: ascii(more)[:24],
)  # fmt: skip
def test_what_no_parser_should_guess_at_is_refused_in_words(
    server: Server, fake: Running, path: str, more: bytes
) -> None:
    calls = len(fake.record())
    rest = json.dumps(BODIES[path])[1:].encode()
    answer = post(server, b'{"model": "fake", ' + more + b", " + rest, path)
    known = answer.status_code == 200 and "berth-ignored" in answer.headers
    assert known or answer.status_code == 400, answer.text
    assert known or len(answer.json()["error"]["message"]) > 10
    assert known or len(fake.record()) == calls
    assert "Traceback" not in server.output


def test_errors_name_the_field_for_the_official_client(server: Server, fake: Running) -> None:
    body = {"model": "fake", "messages": [{"role": "king", "content": "x"}]}
    error = post(server, body).json()["error"]
    assert error["param"] == "messages[0]"
    assert error["code"] == "invalid_value"
    assert error["type"] == "invalid_request_error"
    assert "'system', 'developer', 'user'" in error["message"]


def test_every_dialect_reaches_the_engine(server: Server, fake: Running) -> None:
    for path, body in BODIES.items():
        assert post(server, {"model": "fake", **body}, path).status_code == 200
        assert fake.record()[-1]["path"] == path
