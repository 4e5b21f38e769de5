"""A small real server that speaks llama-server's `/v1` dialect, and misbehaves on demand.

    python -m tests.support.fake_engine --port 0 --gap-ms 20 --prefill-ms 500 --tokens 40

It prints its base URL as the first line. Like the real one it holds its headers until the first
token. `GET /fake/record` tells what was asked, word for word, and how each answer ended;
`POST /fake/behaviour` changes any option below while it runs (JSON, names with underscores);
`POST /fake/afresh` makes it as it began; `GET /fake/page` is a bare page that asks it. In a test:

    with running_fake("--die-after", "3") as fake:
        fake.behave(reply="| a | b |\n", can_see=True)
        Lines(f"{fake.url}/v1/chat/completions", body)
"""

import asyncio
import json
import os
import re
import signal
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import fake_dialects as dialects
from tests.support.fake_server import Running, controls, parsed, running, serve

__all__ = ["Running", "running_fake"]

PAGE = Path(__file__).with_suffix(".html")
IMAGE_TOKENS = 16
HOLD_SECONDS = 0.02
NO_IMAGES = (
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
)

NOT_IN_TURN = (
    "Unable to generate parser for this template. Automatic parser generation failed: While "
    "executing CallExpression at line 1, column 92 in source: raise_exception('Conversation roles "
    "must alternate user/assistant/user/assistant/...')"
)


@dataclass
class Behaviour:
    """What the server does; a negative number means never."""

    model: str = "fake"
    key: str = ""  # asked for where set
    context: int = 4096  # a prompt of more words is refused
    tokens: int = 20
    text: str = ""  # said word by word, instead of numbered tokens
    reply: str = ""  # said to the letter, with its line breaks; goes before `text`
    finish_reason: str = ""  # said at the end, instead of what happened
    prompt_tokens: int = -1  # told as the length of every prompt, instead of its words
    can_see: bool = False  # otherwise an image is an error
    about: bool = False  # the first token names what it answers: `re:` and the last message
    in_turn: bool = False  # two messages of one role in a row are an error, as in many templates
    echo: bool = False  # what it continues comes first once more, as in versions of early 2026
    gap_ms: float = 0
    prefill_ms: float = 0
    read: int = 0  # tokens of a prompt that are read, as its slots tell
    to_read: int = 0  # of so many; 0: they do not tell
    headers_at_once: bool = False  # send them before the prefill
    stamp: bool = False  # every token is the epoch time at which it left, in seconds
    paragraph: int = 0  # a blank line after every so many tokens
    reasoning: int = 0  # so many tokens come as reasoning first
    reasoning_field: str = "reasoning_content"  # vLLM calls it reasoning
    status: int = 200  # answer every request with this instead
    error_after: int = -1  # tokens, then an error inside the stream
    error_text: str = "ordered by the test"
    cut_after: int = -1  # tokens, then an orderly end without [DONE]
    without_done: bool = False  # ends in order, without [DONE] after the finish reason
    die_after: int = -1  # tokens, then kill -9 to itself
    hold_after: int = -1  # tokens, then nothing until this is -1 again
    split_utf8: bool = False  # every chunk ends inside a character where there is one


# As llama-server b9960 tells them, 32-bit numbers and all.
SAMPLING = {
    "temperature": 0.800000011920929,
    "top_k": 40,
    "top_p": 0.949999988079071,
    "min_p": 0.05000000074505806,
    "repeat_penalty": 1.0,
}


@dataclass
class Call:
    """One request and how its answer went."""

    path: str
    model: str
    body: dict[str, Any]
    authorization: str
    began_at: float
    tokens_sent: int = 0
    ended: str = "running"  # done, left (by the client), refused, broken
    ended_at: float | None = None


@dataclass
class Fake:
    """The server's whole state."""

    behaviour: Behaviour
    calls: list[Call] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/v1/models", self.models),
                web.get("/slots", self.slots),
                web.get("/props", self.props),
                web.post("/tokenize", self.tokenize),
                web.post("/v1/chat/completions", self.answer),
                web.post("/v1/completions", self.answer),
                web.post("/v1/responses", self.answer),
                web.post("/v1/messages", self.answer),
                web.post("/v1/messages/count_tokens", self.read_only),
                web.post("/v1/embeddings", self.read_only),
                web.post("/v1/rerank", self.read_only),
                web.get("/fake/page", bare_page),
                *controls(self),
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def models(self, request: web.Request) -> web.Response:
        self._check_key(request)
        meta = {"n_ctx": self.behaviour.context, "n_ctx_train": 32768, "n_params": 1, "size": 1}
        row = {"id": self.behaviour.model, "object": "model", "owned_by": "llamacpp", "meta": meta}
        return web.json_response({"object": "list", "data": [row]})

    async def slots(self, request: web.Request) -> web.Response:
        self._check_key(request)
        busy = sum(call.ended == "running" for call in self.calls)
        row = {"id": 0, "n_ctx": self.behaviour.context, "is_processing": busy > 0}
        if self.behaviour.to_read:
            row["n_prompt_tokens"] = self.behaviour.to_read
            row["n_prompt_tokens_processed"] = self.behaviour.read
        return web.json_response([row])

    async def props(self, request: web.Request) -> web.Response:
        self._check_key(request)
        settings = {"n_ctx": self.behaviour.context, "params": SAMPLING}
        named = {"model_alias": self.behaviour.model, "total_slots": 1}
        told = {"modalities": {"vision": self.behaviour.can_see, "audio": False}}
        return web.json_response({"default_generation_settings": settings, **named, **told})

    async def tokenize(self, request: web.Request) -> web.Response:
        """One token a word, as everywhere here."""
        self._check_key(request)
        words = str((await request.json()).get("content", "")).split()
        return web.json_response({"tokens": list(range(len(words)))})

    async def read_only(self, request: web.Request) -> web.Response:
        """A long vector, or a rank, with the prompt's length before it."""
        self._check_key(request)
        body = await request.json()
        call = Call(request.path, body["model"], body, "", time.time())
        self.calls.append(call)
        try:
            await asyncio.sleep(self.behaviour.prefill_ms / 1000)
            call.ended = "done"
        except asyncio.CancelledError:
            call.ended = "left"
            raise
        finally:
            call.ended_at = time.time()
        count = len(f"{body.get('input', '')} {body.get('query', '')}".split())
        if request.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": prompt_words(body)})
        rows = {"data": [{"index": 0, "embedding": [0.123456789] * 2_048}]}
        if request.path.endswith("/rerank"):
            rows = {"results": [{"index": 0, "relevance_score": 0.5}]}
        usage = {"prompt_tokens": count, "total_tokens": count}
        return web.json_response({"model": body["model"], "usage": usage, **rows})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        try:
            body = await request.json()
        except ValueError:
            return refusal(400, "invalid_request_error", "parse error at line 1, column 1")
        key = request.headers.get("Authorization", "")
        call = Call(request.path, body.get("model", ""), body, key, time.time())
        self.calls.append(call)
        try:
            return self._refused(call) or await self._reply(request, call)
        except (asyncio.CancelledError, ConnectionError):
            call.ended = "left"
            raise
        finally:
            call.ended_at = time.time()

    def _check_key(self, request: web.Request) -> None:
        expected = self.behaviour.key
        if expected and request.headers.get("Authorization") != f"Bearer {expected}":
            raise web.HTTPUnauthorized(
                text=error_json(401, "authentication_error", "Invalid API Key"),
                content_type="application/json",
            )

    def _refused(self, call: Call) -> web.Response | None:
        """The error answer that was ordered, or that the prompt's length deserves."""
        if (status := self.behaviour.status) != 200:
            call.ended = "refused"
            kind = "invalid_request_error" if status < 500 else "server_error"
            return refusal(status, kind, "ordered by the test")
        if has_image(call.body) and not self.behaviour.can_see:
            call.ended = "refused"
            return refusal(500, "server_error", NO_IMAGES)
        if self.behaviour.in_turn and not is_in_turn(call.body):
            call.ended = "refused"
            return refusal(400, "invalid_request_error", NOT_IN_TURN)
        if (count := self._prompt_tokens(call)) > self.behaviour.context:
            call.ended = "refused"
            limit = self.behaviour.context
            return refusal(
                400,
                "exceed_context_size_error",
                f"request ({count} tokens) exceeds the available context size ({limit} tokens), "
                "try increasing it",
                n_prompt_tokens=count,
                n_ctx=limit,
            )
        return None

    async def _reply(self, request: web.Request, call: Call) -> web.StreamResponse:
        if not call.body.get("stream"):
            return await self._whole(call)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if self.behaviour.headers_at_once:
            await response.prepare(request)
        await asyncio.sleep(self.behaviour.prefill_ms / 1000)
        await response.prepare(request)
        await self._opening(response, call)
        ended_by_order = await self._tokens(response, call)
        if not ended_by_order:
            await self._closing(response, call)
            call.ended = "done"
        await response.write_eof()
        return response

    async def _opening(self, response: web.StreamResponse, call: Call) -> None:
        if is_named(call.path):
            for event in dialects.opening(call.path, self._prompt_tokens(call)):
                await response.write(dialects.sent(event))
        elif call.path.endswith("/chat/completions"):
            await self._send(response, chunk(call, delta={"role": "assistant", "content": None}))

    async def _closing(self, response: web.StreamResponse, call: Call) -> None:
        if is_named(call.path):
            text, count = "".join(self._words(call)), self._prompt_tokens(call)
            for event in dialects.closing(call.path, text, call.body, count, call.tokens_sent):
                await response.write(dialects.sent(event))
            return
        for last in self._closing_chunks(call):
            await self._send(response, last)
        if not self.behaviour.without_done:
            await response.write(b"data: [DONE]\n\n")

    async def _tokens(self, response: web.StreamResponse, call: Call) -> bool:
        """Sends them; True where the behaviour asks for an early end."""
        do = self.behaviour
        for number, word in enumerate(self._words(call)):
            if number == do.die_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == do.error_after:
                error = json.loads(error_json(500, "server_error", do.error_text))
                await self._send(response, error)
            if number in (do.error_after, do.cut_after):
                call.ended = "broken"
                return True
            await asyncio.sleep(do.gap_ms / 1000 if number else 0)
            while 0 <= do.hold_after <= number:
                await asyncio.sleep(HOLD_SECONDS)
            piece = f"{time.time():.6f} " if do.stamp else word
            if do.paragraph and number % do.paragraph == do.paragraph - 1:
                piece += "\n\n"
            thought = do.reasoning_field if number < do.reasoning else "content"
            if is_named(call.path):
                await response.write(dialects.sent(dialects.piece(call.path, piece)))
            else:
                await self._send(response, token_chunk(call, piece, thought))
            call.tokens_sent += 1
        return False

    def _words(self, call: Call) -> list[str]:
        """The reply, one token an item, including its reasoning."""
        words = re.findall(r"\S+\s*|^\s+", self.behaviour.reply)
        words = words or [f"{word} " for word in self.behaviour.text.split()]
        words = words or [f"t{n} " for n in range(self.behaviour.tokens)]
        words = [f"re:{last_said(call.body)} ", *words] if self.behaviour.about else words
        limit = call.body.get("max_tokens") or call.body.get("max_output_tokens")
        words = words[: limit or None]
        return [continued(call.body) + words[0], *words[1:]] if self.behaviour.echo else words

    async def _send(self, response: web.StreamResponse, event: dict[str, Any]) -> None:
        data = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        for part in split_inside_characters(data) if self.behaviour.split_utf8 else [data]:
            await response.write(part)
            if self.behaviour.split_utf8:
                await asyncio.sleep(0.001)  # so that the parts leave as packets of their own

    async def _whole(self, call: Call) -> web.Response:
        words = self._words(call)
        await asyncio.sleep((self.behaviour.prefill_ms + self.behaviour.gap_ms * len(words)) / 1000)
        call.tokens_sent, call.ended = len(words), "done"
        text = "".join(words)
        if is_named(call.path):
            count, said = self._prompt_tokens(call), call.tokens_sent
            return web.json_response(dialects.whole(call.path, text, call.body, count, said))
        message = {"message": {"role": "assistant", "content": text}}
        choice = message if "/chat/" in call.path else {"text": text}
        return web.json_response(
            {
                "choices": [{"index": 0, "finish_reason": self._finish(call), **choice}],
                **self._totals(call),
            }
        )

    def _closing_chunks(self, call: Call) -> list[dict[str, Any]]:
        """As the real server ends: a chat has its usage in an event of its own, without choices."""
        asked = call.body.get("stream_options", {}).get("include_usage", False)
        sums = self._totals(call) if asked else self._timings(call)
        reason = self._finish(call)
        if "/chat/" not in call.path:
            return [{**chunk(call, text="", finish_reason=reason), **sums}]
        last = chunk(call, delta={}, finish_reason=reason)
        return [last, {**last, "choices": [], **sums}] if asked else [{**last, **sums}]

    def _finish(self, call: Call) -> str:
        was_cut = call.tokens_sent == call.body.get("max_tokens")
        return self.behaviour.finish_reason or ("length" if was_cut else "stop")

    def _totals(self, call: Call) -> dict[str, Any]:
        prompt, said = self._prompt_tokens(call), call.tokens_sent
        usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
        return {"usage": usage, **self._timings(call)}

    def _timings(self, call: Call) -> dict[str, Any]:
        speed = {"prompt_ms": 12.5, "predicted_per_second": 50.0}
        return {"timings": {**speed, "predicted_n": call.tokens_sent}}

    def _prompt_tokens(self, call: Call) -> int:
        told = self.behaviour.prompt_tokens
        return prompt_words(call.body) if told < 0 else told


async def bare_page(_: web.Request) -> web.FileResponse:
    """The least that shows an answer in a browser: what a real page is measured against."""
    return web.FileResponse(PAGE)


def is_named(path: str) -> bool:
    """Do the events of this route have names?"""
    return path.endswith(("/responses", "/messages"))


def chunk(call: Call, **choice: Any) -> dict[str, Any]:
    kind = "chat.completion.chunk" if "/chat/" in call.path else "text_completion"
    return {
        "choices": [{"finish_reason": None, "index": 0, **choice}],
        "created": int(call.began_at),
        "id": "chatcmpl-fake",
        "model": call.model,
        "object": kind,
    }


def token_chunk(call: Call, piece: str, name: str) -> dict[str, Any]:
    return chunk(call, delta={name: piece}) if "/chat/" in call.path else chunk(call, text=piece)


def prompt_words(body: dict[str, Any]) -> int:
    parts = content_parts(body)
    said = [str(part["text"]) for part in parts if part["type"] == "text"]
    others = [str(body[name]) for name in ("prompt", "input") if name in body]
    words = " ".join([*said, *others]).split()
    return len(words) + IMAGE_TOKENS * (len(parts) - len(said))


def content_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of all messages; a message that is text alone is one."""
    contents = [message.get("content", "") for message in body.get("messages", [])]
    whole = [c if isinstance(c, list) else [{"type": "text", "text": c}] for c in contents]
    return [part for parts in whole for part in parts]


def is_in_turn(body: dict[str, Any]) -> bool:
    """Do a question and an answer follow each other, a question first?"""
    roles = [m["role"] for m in body.get("messages", []) if m["role"] != "system"]
    return roles == (["user", "assistant"] * len(roles))[: len(roles)]


def has_image(body: dict[str, Any]) -> bool:
    return any(part["type"] == "image_url" for part in content_parts(body))


def continued(body: dict[str, Any]) -> str:
    """The reply that the last message begins."""
    last = (body.get("messages") or [{}])[-1]
    return str(last["content"]) if last.get("role") == "assistant" else ""


def last_said(body: dict[str, Any]) -> str:
    """The text of the last message."""
    texts = [part["text"] for part in content_parts({"messages": body["messages"][-1:]})]
    return " ".join(texts)


def split_inside_characters(data: bytes) -> list[bytes]:
    """Cut after the first byte of every multi-byte character."""
    cuts = [at + 1 for at, byte in enumerate(data) if byte >= 0xC0]
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def error_json(status: int, kind: str, message: str, **more: Any) -> str:
    return json.dumps({"error": {"code": status, "message": message, "type": kind, **more}})


def refusal(status: int, kind: str, message: str, **more: Any) -> web.Response:
    text = error_json(status, kind, message, **more)
    return web.Response(status=status, text=text, content_type="application/json")


def running_fake(*options: str) -> AbstractContextManager[Running]:
    """A fake engine on a free port, for as long as the block runs."""
    return running("tests.support.fake_engine", *options)


if __name__ == "__main__":
    port, behaviour = parsed(sys.argv[1:], Behaviour, __doc__)
    asyncio.run(serve(Fake(behaviour).application(), port))
