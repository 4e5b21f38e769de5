"""The OpenAI dialect of the fake Ollama; it can name no context, so the model's own is loaded."""

import secrets
import time
from typing import Any

from aiohttp import web

from tests.support.fake_ollama import go
from tests.support.fake_ollama.go import Answer
from tests.support.fake_ollama.replies import Reply
from tests.support.fake_ollama.running import NO_EMBEDDINGS, Running
from tests.support.fake_ollama.store import Entry, Loaded
from tests.support.fake_ollama.streams import Line, Lines, events, gathered
from tests.support.fake_ollama.world import World


class OpenAI:
    """`/v1`."""

    def __init__(self, world: World, running: Running) -> None:
        self.world = world
        self.running = running

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/models", self.models),
            web.get("/v1/models/{name}", self.model),
            web.post("/v1/chat/completions", self.chat),
            web.post("/v1/completions", self.complete),
            web.post("/v1/embeddings", self.embed),
        ]

    async def models(self, _: web.Request) -> web.Response:
        rows = [row(entry) for entry in self.world.store.entries.values()]
        return go.bare({"object": "list", "data": rows or None})

    async def model(self, request: web.Request) -> web.Response:
        return go.bare(row(self.world.found(request.match_info["name"])))

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        messages = body.get("messages")
        if not messages:
            error = v1_error(Answer(400, "[] is too short - 'messages'"))
            return go.answer(error, 400)
        prompt = "\n".join(str(m.get("content", "")) for m in messages)
        return await self._answer(request, body, prompt)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        return await self._answer(request, body, str(body.get("prompt", "")))

    async def embed(self, request: web.Request) -> web.Response:
        self.world.found((await self.world.body(request)).get("model"))
        raise Answer(501, NO_EMBEDDINGS)

    async def _answer(
        self, request: web.Request, body: dict[str, Any], prompt: str
    ) -> web.StreamResponse:
        if not body.get("model"):
            raise Answer(400, "model is required")
        entry = self.world.found(body["model"])
        native = {"options": {"num_predict": body.get("max_tokens") or -1}}
        reply = self.running.reply(native, prompt)
        loaded = await self.running.prepared(entry, {"messages": body.get("messages")}, reply)
        is_chat = "messages" in body
        if body.get("stream"):
            return await events(request, self._chunks(body, loaded, reply, is_chat))
        pieces = await gathered(self.running.pieces(loaded, reply))
        text = "".join(piece["text"] for piece in pieces)
        return go.bare({**head(body, is_chat, False), **whole(text, reply, is_chat)})

    async def _chunks(
        self, body: dict[str, Any], loaded: Loaded, reply: Reply, is_chat: bool
    ) -> Lines:
        start = head(body, is_chat, True)
        role = {"role": "assistant"}
        async for piece in self.running.pieces(loaded, reply):
            if "text" not in piece:
                yield v1_error(Answer(500, piece["error"])) if "error" in piece else piece
                return
            kind = "reasoning" if piece["thinks"] else "content"
            delta = {"delta": {**role, kind: piece["text"]}} if is_chat else {"text": piece["text"]}
            yield {**start, "choices": [{"index": 0, **delta, "finish_reason": None}]}
            role = {}
        last: Line = {"delta": {}} if is_chat else {"text": ""}
        yield {**start, "choices": [{"index": 0, **last, "finish_reason": reply.reason}]}
        if (body.get("stream_options") or {}).get("include_usage"):
            yield {**start, "choices": [], **usage(reply)}
        yield {}


def row(entry: Entry) -> Line:
    owner = entry.name.split("/")[-2] if "/" in entry.name else "library"
    created = int(entry.modified)
    return {"id": entry.name, "object": "model", "created": created, "owned_by": owner}


def head(body: dict[str, Any], is_chat: bool, is_chunk: bool) -> Line:
    kind = "chat.completion" if is_chat else "text_completion"
    return {
        "id": f"{'chatcmpl' if is_chat else 'cmpl'}-{secrets.randbelow(999)}",
        "object": f"{kind}.chunk" if is_chunk and is_chat else kind,
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": "fp_ollama",
    }


def whole(text: str, reply: Reply, is_chat: bool) -> Line:
    end = {"finish_reason": reply.reason}
    if is_chat:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, **end}
    else:
        choice = {"text": text, "index": 0, **end}
    return {"choices": [choice], **usage(reply)}


def usage(reply: Reply) -> Line:
    asked, said = reply.prompt_tokens, reply.counted
    total = asked + said
    return {"usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": total}}


def v1_error(error: Answer) -> Line:
    """An error in the words of the native routes and the form of this dialect."""
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    kind = kinds.get(error.status, "api_error")
    return {"error": {"message": error.said, "type": kind, "param": None, "code": None}}
