"""The fake engine's answers in /v1/responses and /v1/messages, as llama-server gives them.

Its slips too: every reply is "completed", and every turn the model's own end.
"""

import json
from collections.abc import Iterator
from typing import Any

Event = tuple[str, dict[str, Any]]


def opening(path: str, prompt: int) -> Iterator[Event]:
    """What comes before the first token."""
    if path.endswith("/responses"):
        begun = {"id": "resp_1", "object": "response", "status": "in_progress"}
        yield "response.created", {"response": begun}
        item = {"content": [], "id": "msg_1", "role": "assistant", "status": "in_progress"}
        yield "response.output_item.added", {"item": {**item, "type": "message"}}
        part = {"type": "output_text", "text": ""}
        yield "response.content_part.added", {"item_id": "msg_1", "part": part}
        return
    usage = {"cache_read_input_tokens": 1, "input_tokens": prompt - 1, "output_tokens": 0}
    message = {"id": "chatcmpl-1", "type": "message", "role": "assistant", "content": []}
    told = {"model": "fake", "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield "message_start", {"message": {**message, **told}}
    block = {"type": "text", "text": ""}
    yield "content_block_start", {"index": 0, "content_block": block}


def piece(path: str, text: str) -> Event:
    """One token."""
    if path.endswith("/responses"):
        return "response.output_text.delta", {"item_id": "msg_1", "delta": text}
    return "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}


def closing(path: str, text: str, body: dict[str, Any], prompt: int, said: int) -> Iterator[Event]:
    """What comes after the last one."""
    if path.endswith("/responses"):
        yield "response.output_text.done", {"item_id": "msg_1", "text": text}
        yield "response.completed", {"response": whole(path, text, body, prompt, said)}
        return
    yield "content_block_stop", {"index": 0}
    end = ending(body, said)
    yield "message_delta", {"delta": end, "usage": {"output_tokens": said}}
    yield "message_stop", {}


def ending(body: dict[str, Any], said: int) -> dict[str, Any]:
    stops = body.get("stop_sequences")
    reason = "max_tokens" if said == body.get("max_tokens") else "end_turn"
    return {"stop_reason": reason, "stop_sequence": stops[0] if stops else None}


def whole(path: str, text: str, body: dict[str, Any], prompt: int, said: int) -> dict[str, Any]:
    """The answer at once."""
    if path.endswith("/responses"):
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
        item = {"type": "message", "status": "completed", "id": "msg_1", "role": "assistant"}
        usage = {"input_tokens": prompt, "output_tokens": said, "total_tokens": prompt + said}
        told = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed"}
        return {**told, "model": "fake", "output": [{**item, "content": [part]}], "usage": usage}
    usage = {"cache_read_input_tokens": 1, "input_tokens": prompt - 1, "output_tokens": said}
    told = {"id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "fake"}
    content = [{"type": "text", "text": text}]
    return {**told, "content": content, **ending(body, said), "usage": usage}


def sent(event: Event) -> bytes:
    """As it goes over the wire."""
    name, data = event
    text = json.dumps({"type": name, **data}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
