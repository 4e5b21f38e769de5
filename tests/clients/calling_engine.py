"""A small real server whose model calls the client's shell once, and says what came of it.

    python -m tests.clients.calling_engine

It prints its base URL first. It streams the three dialects as llama-server does: whatever a coding
agent asks, it is told to run COMMAND; when the agent sends the result, that is said.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.fake_server import controls, parsed, serve

COMMAND = "echo made by an agent > made.txt && cat made.txt"
SHELLS = {"exec_command": "cmd", "shell": "command", "Bash": "command", "bash": "command"}
CALL = "call_1"
Event = tuple[str, dict[str, Any]]


@dataclass
class Behaviour:
    """Its name; the key is not looked at."""

    model: str = "caller"
    key: str = ""


@dataclass
class Call:
    """What was asked."""

    path: str
    model: str
    body: dict[str, Any]
    ended: str = "done"


@dataclass
class Engine:
    """The server's whole state."""

    behaviour: Behaviour
    calls: list[Call] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/v1/models", self.models),
                *(web.post(path, self.answer) for path in SAYS),
                *controls(self),
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def models(self, _: web.Request) -> web.Response:
        row = {"id": self.behaviour.model, "object": "model", "owned_by": "llamacpp"}
        return web.json_response({"object": "list", "data": [row]})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append(Call(request.path, body["model"], body))
        shell, said = shell_of(body), result_in(body)
        text = "" if shell and said is None else f"The shell said: {said}"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for name, data in SAYS[request.path](text, shell):
            head = f"event: {name}\n" if name else ""
            await response.write(f"{head}data: {json.dumps(data)}\n\n".encode())
        if request.path.endswith("/chat/completions"):
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def shell_of(body: dict[str, Any]) -> str:
    """The client's tool that runs commands; "" where it has none."""
    named = [tool.get("function", tool).get("name") for tool in body.get("tools", [])]
    return next((name for name in named if name in SHELLS), "")


def result_in(body: dict[str, Any]) -> str | None:
    """What the tool has answered, in any dialect."""
    for turn in body.get("messages", []):
        if turn["role"] == "tool":
            return _text(turn["content"])
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        for block in blocks:
            if block["type"] == "tool_result":
                return _text(block["content"])
    items = body["input"] if isinstance(body.get("input"), list) else []
    outputs = [item for item in items if item.get("type") == "function_call_output"]
    return _text(outputs[0]["output"]) if outputs else None


def _text(content: Any) -> str:
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return str(content).strip().replace("\n", " | ")


def arguments(shell: str) -> str:
    """Of the call."""
    return json.dumps({SHELLS[shell]: COMMAND, "description": "Makes a file"})


def chat(text: str, shell: str) -> Iterator[Event]:
    """Chunks of /v1/chat/completions."""
    rest = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "caller"}
    delta: dict[str, Any] = {"role": "assistant", "content": text or None}
    if not text:
        function = {"name": shell, "arguments": arguments(shell)}
        delta["tool_calls"] = [{"index": 0, "id": CALL, "type": "function", "function": function}]
    yield "", {**rest, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    reason = "stop" if text else "tool_calls"
    yield "", {**rest, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    yield "", {**rest, "choices": [], "usage": usage}


def responses(text: str, shell: str) -> Iterator[Event]:
    """Events of /v1/responses."""
    item: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": CALL, "name": shell}
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    else:
        item["arguments"] = arguments(shell)
    reply = {"id": "resp_1", "object": "response", "model": "caller", "created_at": 1}
    usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    done = {**item, "status": "completed"}
    empty: dict[str, Any] = {"content": []} if text else {"arguments": ""}
    begun = {**item, "status": "in_progress", **empty}
    events: list[Event] = [
        ("response.created", {"response": {**reply, "status": "in_progress", "output": []}}),
        ("response.output_item.added", {"output_index": 0, "item": begun}),
    ]
    if text:
        told: dict[str, Any] = {
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": text,
        }
        events.append(("response.output_text.delta", told))
    events += [
        ("response.output_item.done", {"output_index": 0, "item": done}),
        (
            "response.completed",
            {"response": {**reply, "status": "completed", "output": [done], "usage": usage}},
        ),
    ]
    yield from ((name, {"type": name, **data}) for name, data in events)


def messages(text: str, shell: str) -> Iterator[Event]:
    """Events of /v1/messages."""
    usage = {"input_tokens": 5, "output_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "caller"}
    told: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta: dict[str, Any] = {"type": "text_delta", "text": text}
    if not text:
        block = {"type": "tool_use", "id": "toolu_1", "name": shell, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": arguments(shell)}
    end = {"stop_reason": "end_turn" if text else "tool_use", "stop_sequence": None}
    events: list[Event] = [
        ("message_start", {"message": told}),
        ("content_block_start", {"index": 0, "content_block": block}),
        ("content_block_delta", {"index": 0, "delta": delta}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": end, "usage": {"output_tokens": 5}}),
        ("message_stop", {}),
    ]
    yield from ((name, {"type": name, **data}) for name, data in events)


SAYS = {
    "/v1/chat/completions": chat,
    "/v1/responses": responses,
    "/v1/messages": messages,
}


if __name__ == "__main__":
    port, behaviour = parsed(sys.argv[1:], Behaviour, __doc__)
    asyncio.run(serve(Engine(behaviour).application(), port))
