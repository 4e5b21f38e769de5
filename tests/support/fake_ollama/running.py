"""The routes of the fake Ollama about what is in its memory: load, reply, unload."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from tests.support.fake_ollama import go
from tests.support.fake_ollama.go import Answer, stamp
from tests.support.fake_ollama.replies import Reply, reply_to
from tests.support.fake_ollama.store import (
    DEFAULT_CONTEXT,
    DEFAULT_KEEP_SECONDS,
    Entry,
    Loaded,
    short_name,
)
from tests.support.fake_ollama.streams import CUT, Line, Lines, gathered, ndjson
from tests.support.fake_ollama.world import World

NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"
NO_IMAGES = (
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
)
DIED = "an error was encountered while running the model: unexpected EOF"


class Running:
    """Everything that needs a model in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/ps", self.ps),
            web.post("/api/generate", self.generate),
            web.post("/api/chat", self.chat),
            web.post("/api/embed", self.embed),
        ]

    async def ps(self, _: web.Request) -> web.Response:
        self.store.drop_expired()
        longest = sorted(self.store.loaded.values(), key=lambda m: m.expires_at, reverse=True)
        return go.answer({"models": [loaded.row() for loaded in longest]})

    async def generate(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        entry = self.world.found(body.get("model") or "")
        if not body.get("prompt"):
            return go.answer(await self._load_or_unload(entry, body, {"response": ""}))
        reply = self.reply(body, str(body["prompt"]))
        return await self._answer(request, entry, body, reply)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        messages = checked_messages(body)
        entry = self.world.found(body["model"])
        if not messages:
            empty = {"message": {"role": "assistant", "content": ""}}
            return go.answer(await self._load_or_unload(entry, body, empty))
        if body.get("think") and "thinking" not in entry.capabilities:
            raise Answer(400, f'"{body["model"]}" does not support thinking')
        if any(m.get("images") for m in messages) and "vision" not in entry.capabilities:
            raise Answer(500, llama_error(500, NO_IMAGES, "server_error"))
        reply = self.reply(body, "\n".join(str(m.get("content", "")) for m in messages))
        if messages[-1].get("role") == "assistant" and not self.world.behaviour.no_echo:
            reply.tokens[0] = str(messages[-1].get("content", "")) + reply.tokens[0]
        return await self._answer(request, entry, body, reply)

    async def embed(self, request: web.Request) -> web.Response:
        body = await self.world.body(request)
        entry = self.world.found(body.get("model") or "")
        await self.load(entry, body)
        if body.get("input") and "embedding" not in entry.capabilities:
            raise Answer(501, NO_EMBEDDINGS)
        return go.answer(
            {"model": body["model"], "embeddings": [[0.1]] if body.get("input") else []}
        )

    def reply(self, body: dict[str, Any], prompt: str) -> Reply:
        """What will be said to a prompt."""
        limit = (body.get("options") or {}).get("num_predict", -1)
        own = [f"{word} " for word in self.world.behaviour.text.split()]
        thinking = self.world.behaviour.thinking
        return reply_to(prompt, limit, own, body.get("format"), thinking, bool(body.get("raw")))

    async def load(self, entry: Entry, body: dict[str, Any]) -> Loaded:
        """The model in memory, with the settings of the request, else its own, else defaults.

        One that is there with other settings is loaded anew, and forgets how long it should stay.
        Models made of one file share what is in memory, under the name that loaded it.
        """
        self.store.drop_expired()
        options = {**entry.parameters, **(body.get("options") or {})}
        context = min(int(options.get("num_ctx", DEFAULT_CONTEXT)), entry.context)
        wanted = (context, options.get("num_thread"), True)
        loaded = self.store.loaded.get(entry.file_digest)
        if loaded is None or (loaded.context, loaded.threads, loaded.is_alive) != wanted:
            await asyncio.sleep(self.world.behaviour.load_ms / 1000)
            loaded = Loaded(entry, context, wanted[1], DEFAULT_KEEP_SECONDS, 0)
            self.store.loaded[entry.file_digest] = loaded
        keep = go.duration(body.get("keep_alive"))
        loaded.keep_seconds = loaded.keep_seconds if keep is None else keep
        loaded.expires_at = time.time() + loaded.keep_seconds
        return loaded

    async def prepared(self, entry: Entry, body: dict[str, Any], reply: Reply) -> Loaded:
        """The model in memory for a reply; 400 where the prompt does not fit into it."""
        loaded = await self.load(entry, body)
        only_one = len(body.get("messages") or []) == 1  # anything else is cut to fit
        if reply.prompt_tokens > loaded.context and (only_one or body.get("truncate") is False):
            raise Answer(400, too_long(reply.prompt_tokens, loaded.context))
        return loaded

    async def pieces(self, loaded: Loaded, reply: Reply) -> Lines:
        """The reply as `{"text": …, "thinks": …}`, or the error or cut that was ordered."""
        do = self.world.behaviour
        loaded.answering += 1
        try:
            await asyncio.sleep(do.prefill_ms / 1000)
            for number, token in enumerate(reply.tokens):
                if number == do.die_after:
                    loaded.is_alive = False
                    yield {"error": DIED}
                    return
                if number == do.cut_after:
                    yield CUT
                    return
                await asyncio.sleep(do.gap_ms / 1000 if number else 0)
                yield {"text": token, "thinks": number < reply.thinking}
        finally:
            loaded.answering -= 1
            loaded.expires_at = time.time() + loaded.keep_seconds

    async def _load_or_unload(self, entry: Entry, body: dict[str, Any], empty: Line) -> Line:
        head = {"model": body["model"], "created_at": stamp(time.time()), **empty, "done": True}
        if go.duration(body.get("keep_alive")) == 0:
            if loaded := self.store.loaded.get(entry.file_digest):
                loaded.keep_seconds, loaded.expires_at = 0, time.time()
            return {**head, "done_reason": "unload"}
        if "completion" not in entry.capabilities:
            raise Answer(400, f'"{body["model"]}" does not support generate')
        await self.load(entry, body)
        return {**head, "done_reason": "load"}

    async def _answer(
        self, request: web.Request, entry: Entry, body: dict[str, Any], reply: Reply
    ) -> web.StreamResponse:
        loaded = await self.prepared(entry, body, reply)
        lines = self._lines(body, loaded, reply)
        if body.get("stream", True):
            return await ndjson(request, lines)
        return go.answer(whole(await gathered(lines)))

    async def _lines(self, body: dict[str, Any], loaded: Loaded, reply: Reply) -> Lines:
        async for piece in self.pieces(loaded, reply):
            if "text" not in piece:
                yield piece
                return
            yield {**head(body), **said(body, piece["text"], piece["thinks"]), "done": False}
        ended = {"done": True, "done_reason": reply.reason}
        keeps = "prompt" in body and not body.get("raw")
        context = {"context": [151644, 8948, 198]} if keeps else {}
        yield {**head(body), **said(body, "", False), **ended, **context, **reply.totals()}


def checked_messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    if not body.get("model") or short_name(body["model"]) is None:
        raise Answer(400, "model is required")
    messages = body.get("messages") or []
    if not isinstance(messages, list):
        kind = "string" if isinstance(messages, str) else "object"
        field = "Go struct field ChatRequest.messages of type []api.Message"
        raise Answer(400, f"json: cannot unmarshal {kind} into {field}")
    return messages


def head(body: dict[str, Any]) -> Line:
    return {"model": body["model"], "created_at": stamp(time.time())}


def said(body: dict[str, Any], text: str, thinks: bool) -> Line:
    """A token where this route has it."""
    spoken, thought = ("", text) if thinks else (text, "")
    thinking = {"thinking": thought} if thought else {}
    if "prompt" in body:
        return {"response": spoken, **thinking}
    return {"message": {"role": "assistant", "content": spoken, **thinking}}


def whole(lines: list[Line]) -> Line:
    """The lines of a reply as the one answer to a request that is not streamed."""
    answer = dict(lines[-1])
    if "response" in answer:
        return {**answer, "response": "".join(line["response"] for line in lines)}
    spoken = "".join(line["message"]["content"] for line in lines)
    thought = "".join(line["message"].get("thinking", "") for line in lines)
    thinking = {"thinking": thought} if thought else {}
    return {**answer, "message": {"role": "assistant", "content": spoken, **thinking}}


def llama_error(code: int, message: str, kind: str, **more: int) -> str:
    """llama-server's own error, which Ollama passes on as the text of its own."""
    error = {"code": code, "message": message, "type": kind, **more}
    return json.dumps({"error": error}, separators=(",", ":"))


def too_long(asked: int, context: int) -> str:
    """The refusal of a prompt that does not fit."""
    message = (
        f"request ({asked} tokens) exceeds the available context size ({context} tokens),"
        " try increasing it"
    )
    return llama_error(
        400, message, "exceed_context_size_error", n_prompt_tokens=asked, n_ctx=context
    )
