"""What is asked of `/v1`, and how its answers are read."""

import json
from typing import Any

import httpx
import pytest

from tests.support.server import Server

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
    "without_done": False,
    "text": "",
}


def post(server: Server, body: Any, path: str = "/v1/chat/completions") -> httpx.Response:
    """Send a body: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return httpx.post(server.url + path, content=content, headers=headers, timeout=30)


def broken_off(server: Server, body: Any, path: str = "/v1/chat/completions") -> list[Any]:
    """The events of a stream that is no whole one: its connection is closed without an end."""
    said = ""
    with (
        httpx.stream("POST", server.url + path, json=body, timeout=30) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for text in answer.iter_text():
            said += text
    data = [line[6:] for line in said.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def events(answer: httpx.Response) -> list[Any]:
    """The JSON of every event; [DONE] as itself."""
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]
