"""Addresses that somebody wants an engine, or Berth itself, to ask: nobody is asked."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.attacks import Place, Trap, trap
from tests.support.fake_engine import Running

HERE = "ADDRESS"
SAID = [{"role": "user", "content": "Hello"}]
TEXT = {"type": "text", "text": "a"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SCHEMA = {"type": "object", "properties": {"a": {"items": {"$ref": HERE}}}}
IMAGES: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": HERE}},
    {"type": "image_url", "image_url": HERE},
    {"type": "image_url", "image_url": {"url": HERE, "detail": "auto"}},
    {"type": "image_url", "image_url": [{"url": HERE}]},
    {"type": "image_url", "Image_URL": {"URL": HERE}, "image_url": {"url": "data:,"}},
    {"type": "video_url", "video_url": {"url": HERE}},
    {"type": "audio_url", "audio_url": {"url": HERE}},
    {"type": "input_audio", "input_audio": {"data": HERE, "format": "wav"}},
    {"type": "input_image", "image_url": HERE},
    {"type": "file", "file": {"file_data": HERE}},
    {"type": "file", "file": {"url": HERE}},
    {**TEXT, "image_url": {"url": HERE}},
    {**TEXT, "x": {"y": [{"z_url": HERE}]}},
]
TOOLS: list[dict[str, Any]] = [
    {"type": "mcp", "server_label": "a", "server_url": HERE},
    {"type": "web_search", "url": HERE},
    {"type": "function", "function": {"name": "f", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "f", "url": HERE}},
]
TOP: list[dict[str, Any]] = [
    *({name: HERE} for name in ("api_base", "base_url", "url", "endpoint", "proxy", "callback")),
    *({name: [HERE]} for name in ("images", "image_url", "files", "mcp_servers", "model_path")),
    {"model": HERE},
    {"metadata": {"webhook": HERE}},
    {"web_search_options": {"url": HERE}},
    {"extra_body": {"api_base": HERE}},
    {"mm_processor_kwargs": {"url": HERE}},
    {"chat_template_kwargs": {"enable_thinking": False, "image": HERE}},
]
CHAT: list[dict[str, Any]] = [
    *({"messages": [{"role": "user", "content": [part]}]} for part in IMAGES),
    *({"messages": [{"role": "user", "content": [TEXT, part]}]} for part in IMAGES[:2]),
    *({"messages": [*SAID, {"role": "assistant", "content": [part]}]} for part in IMAGES[:2]),
    {"messages": [{"role": "system", "content": IMAGES[:1]}, *SAID]},
    {
        "messages": [
            *SAID,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": IMAGES[:1]},
        ]
    },
    {"messages": [{**SAID[0], "images": [HERE]}]},
    *({"messages": SAID, "tools": [tool]} for tool in TOOLS),
    {
        "messages": SAID,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
    },
    *({"messages": SAID, **top} for top in TOP),
]
BLOCKS: list[dict[str, Any]] = [
    {"type": "image", "source": {"type": "url", "url": HERE}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "url": HERE}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": HERE}},
    {"type": "image", "source": {"type": "file", "file_id": HERE}},
    {"type": "document", "source": {"type": "url", "url": HERE}},
    {**TEXT, "citations": [{"url": HERE}]},
]
MESSAGES: list[dict[str, Any]] = [
    *({"messages": [{"role": "user", "content": [block]}]} for block in BLOCKS),
    *(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "1", "content": [block]}],
                }
            ]
        }
        for block in BLOCKS[:2]
    ),
    {"messages": SAID, "system": BLOCKS[:1]},
    {"messages": SAID, "mcp_servers": [{"type": "url", "url": HERE, "name": "a"}]},
    {"messages": SAID, "tools": [{"name": "f", "input_schema": SCHEMA}]},
    {"messages": SAID, "tools": [{"type": "web_fetch_20250910", "name": "web_fetch", "url": HERE}]},
    {"messages": SAID, "container": HERE},
    *({"messages": SAID, **top} for top in TOP),
]
ITEMS: list[dict[str, Any]] = [
    {"type": "input_image", "image_url": HERE},
    {"type": "input_image", "image_url": {"url": HERE}},
    {"type": "input_image", "file_id": HERE},
    {"type": "input_file", "file_url": HERE},
    {"type": "input_file", "file_data": HERE},
]
RESPONSES: list[dict[str, Any]] = [
    *({"input": [{"role": "user", "content": [item]}]} for item in ITEMS),
    {"input": [{"type": "function_call_output", "call_id": "1", "output": ITEMS[:1]}]},
    {"input": [{"type": "item_reference", "id": HERE}]},
    {"input": "a", "prompt": {"id": HERE}},
    {"input": "a", "tools": TOOLS[:1]},
    {"input": "a", "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
    {"input": "a", "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA}}},
    *({"input": "a", **top} for top in TOP),
]
PLACES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": [
        {"prompt": [{"prompt_string": "a", "multimodal_data": [HERE]}]},
        {"prompt": {"image_url": HERE}},
        *({"prompt": "a", **top} for top in TOP),
    ],
    "/v1/embeddings": [
        {"input": [{"type": "image_url", "image_url": {"url": HERE}}]},
        {"input": {"image": HERE}},
        {"input": [{"prompt_string": "a", "multimodal_data": [HERE]}]},
        *({"input": "a", **top} for top in TOP),
    ],
    "/v1/rerank": [
        {"query": {"image_url": HERE}, "documents": ["a"]},
        {"query": "a", "documents": [{"image": HERE}]},
        {"query": "a", "documents": [{"text": "a", "image_url": HERE}]},
        {"query": "a", "documents": {"content": [{"image_url": {"url": HERE}}]}},
        *({"query": "a", "documents": ["a"], **top} for top in TOP),
    ],
    "/v1/responses": RESPONSES,
    "/v1/messages": [{"max_tokens": 5, **body} for body in MESSAGES],
    "/v1/messages/count_tokens": MESSAGES,
}


@pytest.fixture(scope="module")
def trapped() -> Iterator[Trap]:
    with trap() as listening:
        yield listening


@pytest.mark.parametrize("path", PLACES)
def test_no_address_in_any_place_of_any_dialect_reaches_an_engine(
    place: Place, fake: Running, trapped: Trap, path: str
) -> None:
    calls = len(fake.record())
    with httpx.Client(base_url=place.server.url, timeout=30) as client:
        for body in PLACES[path]:
            for address in trapped.addresses:
                sent = json.loads(
                    json.dumps({"model": "fake", **body}).replace(HERE, json.dumps(address)[1:-1])
                )
                answer = client.post(path, json=sent)
                assert answer.status_code in (200, 400, 404), answer.text
                assert answer.status_code != 200 or "berth-ignored" in answer.headers, sent
    arrived = json.dumps(fake.record()[calls:])
    assert trapped.host not in arrived
    assert "etc/host" not in arrived
    assert trapped.asked == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/deploy", {"model": HERE}),
        ("/api/deploy", {"model": "organisation/name", "file": HERE}),
        ("/api/deploy", {"model": HERE, "slot": "0"}),
        ("/api/chat", {"model": HERE, "messages": SAID}),
        ("/api/chat", {"model": "fake", "messages": [{**SAID[0], "images": [HERE]}]}),
        ("/api/chat", {"model": "fake", "messages": SAID, "schema": SCHEMA, "stream": False}),
        ("/api/models/asleep/start", {"engine": HERE}),
        ("/api/sharing", {"address": HERE}),
        ("/api/attachments?c=" + "c" * 32, {"name": HERE, "data": HERE}),
        ("/v1/batches", {"input_file_id": HERE, "endpoint": HERE, "completion_window": "24h"}),
    ],
    ids=lambda part: json.dumps(part)[:40],
)
def test_berth_itself_asks_no_address_that_a_name_could_be(
    place: Place, trapped: Trap, path: str, body: dict[str, Any]
) -> None:
    for address in trapped.addresses[:6]:
        sent = json.loads(json.dumps(body).replace(HERE, json.dumps(address)[1:-1]))
        answer = httpx.post(place.server.url + path, json=sent, timeout=30)
        assert answer.status_code in (400, 404, 409, 422, 502), answer.text  # 502: the Hub is away
    assert trapped.asked == []


def test_a_look_up_asks_the_hub_and_nobody_else(place: Place, trapped: Trap) -> None:
    for address in trapped.addresses:
        asked = httpx.get(f"{place.server.url}/api/models/lookup", params={"repo": address})
        assert asked.status_code in (404, 422, 502)
    assert trapped.asked == []
