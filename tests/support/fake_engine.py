"""A small real server that speaks llama-server's `/v1` dialect, and misbehaves on demand.

    python -m tests.support.fake_engine --port 0 --gap-ms 20 --prefill-ms 500 --tokens 40

It prints its base URL as the first line. Like the real one it holds its headers until the first
token. `GET /fake/record` tells what was asked and how each answer ended; `POST /fake/behaviour`
changes any option below while it runs (JSON, names with underscores). In a test:

    with running_fake("--die-after", "3") as fake:
        Lines(f"{fake.url}/v1/chat/completions", body)
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

ROOT = Path(__file__).resolve().parent.parent.parent
LIFETIME_SECONDS = 900  # so that a killed test run leaves nothing behind for long


@dataclass
class Behaviour:
    """What the server does; a negative number means never."""

    model: str = "fake"
    key: str = ""  # asked for where set
    context: int = 4096  # a prompt of more words is refused
    tokens: int = 20
    text: str = ""  # said word by word, instead of numbered tokens
    gap_ms: float = 0
    prefill_ms: float = 0
    headers_at_once: bool = False  # send them before the prefill
    stamp: bool = False  # every token is the epoch time at which it left, in seconds
    paragraph: int = 0  # a blank line after every so many tokens
    reasoning: int = 0  # so many tokens come as reasoning first
    status: int = 200  # answer every request with this instead
    error_after: int = -1  # tokens, then an error inside the stream
    cut_after: int = -1  # tokens, then an orderly end without [DONE]
    die_after: int = -1  # tokens, then kill -9 to itself
    split_utf8: bool = False  # every chunk ends inside a character where there is one


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
                web.post("/v1/chat/completions", self.answer),
                web.post("/v1/completions", self.answer),
                web.get("/fake/record", self.record),
                web.post("/fake/behaviour", self.change),
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
        return web.json_response(
            [{"id": 0, "n_ctx": self.behaviour.context, "is_processing": busy > 0}]
        )

    async def props(self, request: web.Request) -> web.Response:
        self._check_key(request)
        settings = {"n_ctx": self.behaviour.context, "params": {}}
        named = {"model_alias": self.behaviour.model, "total_slots": 1}
        return web.json_response({"default_generation_settings": settings, **named})

    async def record(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in self.calls])

    async def change(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            assert hasattr(self.behaviour, name), name
            setattr(self.behaviour, name, value)
        return web.json_response(asdict(self.behaviour))

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
        if (count := prompt_words(call.body)) > self.behaviour.context:
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
        if call.path.endswith("/chat/completions"):
            await self._send(response, chunk(call, delta={"role": "assistant", "content": None}))
        ended_by_order = await self._tokens(response, call)
        if not ended_by_order:
            for last in closing_chunks(call):
                await self._send(response, last)
            await response.write(b"data: [DONE]\n\n")
            call.ended = "done"
        await response.write_eof()
        return response

    async def _tokens(self, response: web.StreamResponse, call: Call) -> bool:
        """Sends them; True where the behaviour asks for an early end."""
        do = self.behaviour
        for number, word in enumerate(self._words(call)):
            if number == do.die_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == do.error_after:
                error = json.loads(error_json(500, "server_error", "ordered by the test"))
                await self._send(response, error)
            if number in (do.error_after, do.cut_after):
                call.ended = "broken"
                return True
            await asyncio.sleep(do.gap_ms / 1000 if number else 0)
            piece = f"{time.time():.6f} " if do.stamp else word
            if do.paragraph and number % do.paragraph == do.paragraph - 1:
                piece += "\n\n"
            await self._send(response, token_chunk(call, piece, number < do.reasoning))
            call.tokens_sent += 1
        return False

    def _words(self, call: Call) -> list[str]:
        """The reply, one token an item, including its reasoning."""
        words = [f"{word} " for word in self.behaviour.text.split()]
        words = words or [f"t{n} " for n in range(self.behaviour.tokens)]
        return words[: call.body.get("max_tokens") or None]

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
        message = {"message": {"role": "assistant", "content": text}}
        choice = message if "/chat/" in call.path else {"text": text}
        return web.json_response(
            {"choices": [{"index": 0, "finish_reason": finish(call), **choice}], **totals(call)}
        )


def chunk(call: Call, **choice: Any) -> dict[str, Any]:
    kind = "chat.completion.chunk" if "/chat/" in call.path else "text_completion"
    return {
        "choices": [{"finish_reason": None, "index": 0, **choice}],
        "created": int(call.began_at),
        "id": "chatcmpl-fake",
        "model": call.model,
        "object": kind,
    }


def token_chunk(call: Call, piece: str, is_reasoning: bool) -> dict[str, Any]:
    if "/chat/" not in call.path:
        return chunk(call, text=piece)
    return chunk(call, delta={"reasoning_content" if is_reasoning else "content": piece})


def closing_chunks(call: Call) -> list[dict[str, Any]]:
    """As the real server ends: a chat has its usage in an event of its own, without choices."""
    asked = call.body.get("stream_options", {}).get("include_usage", False)
    sums = totals(call) if asked else {}
    if "/chat/" not in call.path:
        return [{**chunk(call, text="", finish_reason=finish(call)), **sums}]
    last = chunk(call, delta={}, finish_reason=finish(call))
    return [last, {**last, "choices": [], **sums}] if asked else [last]


def finish(call: Call) -> str:
    return "length" if call.tokens_sent == call.body.get("max_tokens") else "stop"


def totals(call: Call) -> dict[str, Any]:
    prompt, said = prompt_words(call.body), call.tokens_sent
    usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
    return {"usage": usage, "timings": {"prompt_ms": 12.5, "predicted_per_second": 50.0}}


def prompt_words(body: dict[str, Any]) -> int:
    said = [str(message.get("content", "")) for message in body.get("messages", [])]
    return len(" ".join([*said, str(body.get("prompt", ""))]).split())


def split_inside_characters(data: bytes) -> list[bytes]:
    """Cut after the first byte of every multi-byte character."""
    cuts = [at + 1 for at, byte in enumerate(data) if byte >= 0xC0]
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def error_json(status: int, kind: str, message: str, **more: Any) -> str:
    return json.dumps({"error": {"code": status, "message": message, "type": kind, **more}})


def refusal(status: int, kind: str, message: str, **more: Any) -> web.Response:
    text = error_json(status, kind, message, **more)
    return web.Response(status=status, text=text, content_type="application/json")


@dataclass
class Running:
    """A fake engine in a process of its own."""

    url: str  # without /v1
    process: subprocess.Popen[str]

    def record(self) -> list[dict[str, Any]]:
        """What was asked so far, oldest first."""
        calls: list[dict[str, Any]] = httpx.get(f"{self.url}/fake/record").json()
        return calls

    def behave(self, **changes: Any) -> None:
        """Change its behaviour while it runs."""
        httpx.post(f"{self.url}/fake/behaviour", json=changes).raise_for_status()

    def last_call(self, ended: str, within_seconds: float = 5.0) -> dict[str, Any]:
        """The latest request, as soon as its answer ended like this."""
        give_up_at = time.monotonic() + within_seconds
        while True:
            calls = self.record()
            if calls and calls[-1]["ended"] == ended:
                return calls[-1]
            assert time.monotonic() < give_up_at, f"not {ended} within {within_seconds} s: {calls}"
            time.sleep(0.02)


@contextlib.contextmanager
def running_fake(*options: str) -> Iterator[Running]:
    """A fake engine on a free port, for as long as the block runs."""
    command = [sys.executable, "-m", "tests.support.fake_engine", *options]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # whoever ends an engine ends its group, which must not be ours
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), "the fake engine did not start"
            yield Running(url, process)
        finally:
            process.kill()


async def serve(port: int, behaviour: Behaviour) -> None:
    # Without cancellation a handler would go on writing to nobody, as the real engine does not.
    runner = web.AppRunner(
        Fake(behaviour).application(), handler_cancellation=True, access_log=None
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.1).start()
    host, bound_port = runner.addresses[0][:2]
    print(f"http://{host}:{bound_port}", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), LIFETIME_SECONDS)
    await runner.cleanup()


def parsed(arguments: Sequence[str]) -> tuple[int, Behaviour]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    for option in fields(Behaviour):
        flag, kind = f"--{option.name.replace('_', '-')}", type(option.default)
        if kind is bool:
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=kind, default=option.default)
    given = vars(parser.parse_args(arguments))
    return given.pop("port"), Behaviour(**given)


if __name__ == "__main__":
    asyncio.run(serve(*parsed(sys.argv[1:])))
