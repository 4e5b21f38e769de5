"""Files of requests, sent by the official client, and what comes of them."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import openai
from openai.types import Batch

from tests.support.server import Server
from tests.support.waiting import until

CHAT = "/v1/chat/completions"
OVER = ("completed", "failed", "cancelled", "expired")


@contextlib.contextmanager
def client_of(server: Server, key: str = "x") -> Iterator[openai.OpenAI]:
    """The official client, which does not try again by itself."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
        yield client


def line(name: str, url: str = CHAT, **changes: Any) -> dict[str, Any]:
    """One request; `changes` are of its body."""
    body = {"model": "fake", "messages": [{"role": "user", "content": name}], **changes}
    return {"custom_id": name, "method": "POST", "url": url, "body": body}


def file_of(*lines: dict[str, Any]) -> bytes:
    """The file that has these lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def requests(count: int, **changes: Any) -> bytes:
    """A file of so many: r0, r1, …"""
    return file_of(*(line(f"r{number}", **changes) for number in range(count)))


def begun(client: openai.OpenAI, data: bytes, endpoint: Any = CHAT) -> Batch:
    """The batch of this file."""
    file = client.files.create(file=("requests.jsonl", data), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    """The same, once it is over."""

    def over() -> Batch | None:
        now = client.batches.retrieve(batch.id)
        return now if now.status in OVER else None

    found = until(over, "the end of the batch", seconds=60)
    assert found
    return found


def answered(client: openai.OpenAI, batch: Batch, at_least: int) -> Batch:
    """The same, once so many are answered."""

    def far_enough() -> Batch | None:
        now = client.batches.retrieve(batch.id)
        counts = now.request_counts
        return now if counts and counts.completed + counts.failed >= at_least else None

    found = until(far_enough, f"{at_least} answers", seconds=60)
    assert found
    return found


def rows(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a file of answers; none where there is no file."""
    if file_id is None:
        return []
    return [json.loads(one) for one in client.files.content(file_id).text.splitlines()]


def names(*files: list[dict[str, Any]]) -> list[str]:
    """Whose answers stand in them, in order of their names."""
    return sorted(str(row["custom_id"]) for file in files for row in file)
