"""A small real server that answers as `vllm serve` does, and misbehaves on demand.

    python -m tests.support.fake_vllm --port 0 --model tiny --key k

By itself it prints its base URL as the first line, like the other fakes. With `--talks` it is a
service: it prints vLLM's log, listens only when it has "loaded", takes its key from VLLM_API_KEY,
and understands the flags of `vllm serve FOLDER …` (others are passed over):

    python -m tests.support.fake_vllm --talks --port 8104 --served-model-name tiny --loading-ms 500

As the real one it guards /v1 alone, ends with 0 when its engine dies, and with `--stuck` its
/health stays 200 while no token comes.
"""

import asyncio
import json
import os
import signal
import sys
import time
from argparse import ArgumentParser
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

from aiohttp import web

from tests.support import vllm_logs as logs
from tests.support.fake_engine import Behaviour as EngineBehaviour
from tests.support.fake_engine import Call, Fake, continued, has_image, prompt_words
from tests.support.fake_server import Running, controls, parsed, running, serve

DIED = "EngineCore encountered an issue. See stack trace (above) for the root cause."
MOST_STOPS = 4
CHARACTERS_A_TOKEN = 12


@dataclass
class Behaviour(EngineBehaviour):
    """What vLLM does beside what every engine does."""

    model: str = "tiny"
    names: str = ""  # more that it answers to, divided by commas
    reasoning_field: str = "reasoning"
    error_text: str = DIED
    version: str = "0.33.0"
    health: int = 200
    stuck: bool = False  # nothing comes of a request, and the counters stand still
    waiting: int = 0
    waiting_reason: str = "capacity"
    kv_share: float = 0.0
    kv_tokens: int = 81_920
    told_before: int = 0  # tokens that it had made before the test looked
    moves: bool = False  # its counters do, whenever they are read: it is busy with others
    no_metrics: bool = False
    talks: bool = False
    loading_ms: float = 0
    fails: str = ""  # the kind of refusal (see vllm_logs) that it ends its start with


class FakeVllm(Fake):
    """The server's whole state."""

    behaviour: Behaviour
    asked: int = 0

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/version", self.version),
                web.get("/metrics", self.metrics),
                web.post("/tokenize", self.tokenize),
                web.get("/v1/models", self.models),
                web.post("/v1/chat/completions", self.answer),
                web.post("/v1/completions", self.answer),
                web.post("/invocations", self.answer),
                web.get("/fake/questions", self.questions),
                *controls(self),
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=self.behaviour.health)

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": self.behaviour.version})

    async def metrics(self, _: web.Request) -> web.Response:
        if self.behaviour.no_metrics:
            raise web.HTTPNotFound
        self.behaviour.told_before += self.behaviour.moves
        return web.Response(text=self._metrics())

    async def models(self, request: web.Request) -> web.Response:
        self._check_key(request)
        context = self.behaviour.context
        rows = [
            {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": context}
            for name in self._names()
        ]
        return web.json_response({"object": "list", "data": rows})

    async def tokenize(self, request: web.Request) -> web.Response:
        """Open without the key, as the real one is; one token a word, as everywhere here."""
        words = str((await request.json()).get("prompt", "")).split()
        return web.json_response({"count": len(words), "tokens": list(range(len(words)))})

    async def questions(self, _: web.Request) -> web.Response:
        """How many there were, also those that a stuck engine never answered."""
        return web.json_response(self.asked)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.behaviour.stuck:
            self._check_key(request)
            await asyncio.Event().wait()
        return await super().answer(request)

    def _names(self) -> list[str]:
        return [self.behaviour.model, *filter(None, self.behaviour.names.split(","))]

    def _check_key(self, request: web.Request) -> None:
        expected = self.behaviour.key
        is_right = request.headers.get("Authorization") == f"Bearer {expected}"
        if expected and request.path.startswith("/v1") and not is_right:
            text = json.dumps({"error": "Unauthorized"})
            raise web.HTTPUnauthorized(text=text, content_type="application/json")

    def _refused(self, call: Call) -> web.Response | None:
        refusal = self._why_not(call)
        if refusal is not None:
            call.ended = "refused"
        return refusal

    def _why_not(self, call: Call) -> web.Response | None:
        do, body = self.behaviour, call.body
        if do.status != 200:
            return said(do.status, "ordered by the test")
        if body.get("model") not in self._names():
            aliases = ", ".join(self._names())
            text = f"The model `{body.get('model')}` does not exist. Valid aliases: {aliases}."
            return said(404, text, "NotFoundError")
        if len(body.get("stop") or []) > MOST_STOPS:
            return said(400, "1 validation error: 'List should have at most 4 items'")
        if has_image(body) and not do.can_see:
            return said(400, f"{do.model} is not a multimodal model")
        if not body.get("add_generation_prompt", True) and not continued(body):
            return said(400, "Cannot set `add_generation_prompt` to false here")
        return self._too_long(call)

    def _totals(self, call: Call) -> dict[str, Any]:
        """vLLM tells no speeds of its own."""
        return {"usage": super()._totals(call)["usage"]}

    def _too_long(self, call: Call) -> web.Response | None:
        limit, words = self.behaviour.context, prompt_words(call.body)
        begun = f"This model's maximum context length is {limit} tokens. However, your prompt"
        characters = len(json.dumps(call.body))
        if characters > limit * CHARACTERS_A_TOKEN:
            return said(400, f"{begun} contains {characters} characters (more than 6144).")
        if words > limit:
            return said(400, f"{begun} contains at least {limit + 1} input tokens.")
        return None

    def _metrics(self) -> str:
        do = self.behaviour
        made = do.told_before + sum(call.tokens_sent for call in self.calls)
        prompted = sum(prompt_words(call.body) for call in self.calls)
        samples = {
            "num_requests_running": sum(call.ended == "running" for call in self.calls),
            "num_requests_waiting": do.waiting,
            f'num_requests_waiting_by_reason{{reason="{do.waiting_reason}"}}': do.waiting,
            "kv_cache_usage_perc": do.kv_share,
            "generation_tokens_total": made,
            "prompt_tokens_total": prompted,
            "iteration_tokens_total_sum": made + prompted,
            f'cache_config_info{{kv_cache_size_tokens="{do.kv_tokens}",'
            f'kv_cache_max_concurrency="{do.kv_tokens / do.context}"}}': 1,
        }
        return "".join(f"vllm:{name} {value}\n" for name, value in samples.items())


def said(status: int, message: str, kind: str = "BadRequestError") -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": status}
    return web.json_response({"error": error}, status=status)


def running_vllm(*options: str) -> AbstractContextManager[Running]:
    """A fake vLLM on a free port, for as long as the block runs."""
    return running("tests.support.fake_vllm", *options)


def talk(behaviour: Behaviour) -> None:
    """Print the log of a start; end where it is to fail."""
    print(logs.BEGUN + logs.LOADING, end="", flush=True)
    if behaviour.fails:
        text = next(log for log, kind, _ in logs.REFUSALS if kind == behaviour.fails)
        print(text, end="", flush=True)
        sys.exit(1)
    time.sleep(behaviour.loading_ms / 1000)
    print(logs.LOADED + logs.COMPILED + logs.ONE_LINE + logs.UP, end="", flush=True)


def service(arguments: list[str]) -> tuple[int, Behaviour]:
    """The port and the behaviour that the flags of `vllm serve` ask for, and our own."""
    parser = ArgumentParser()
    parser.add_argument("--served-model-name", default="tiny")
    parser.add_argument("--max-model-len", default="4096")
    given, rest = parser.parse_known_args(arguments)
    known = {f"--{field.name.replace('_', '-')}" for field in fields(Behaviour)} | {"--port"}
    kept: list[str] = []
    for at, word in enumerate(rest):
        if word in known:
            value = rest[at + 1 : at + 2]
            kept += [word, *(value if value and not value[0].startswith("--") else [])]
    port, behaviour = parsed(kept, Behaviour, __doc__)
    behaviour.model = given.served_model_name
    behaviour.context = int(given.max_model_len) if given.max_model_len.isdigit() else 4096
    behaviour.key = os.environ.get("VLLM_API_KEY", behaviour.key)
    return port, behaviour


def main(arguments: list[str]) -> None:
    """Answer until SIGTERM."""
    if "--talks" not in arguments:
        port, behaviour = parsed(arguments, Behaviour, __doc__)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        port, behaviour = service(arguments)
        talk(behaviour)
    asyncio.run(serve(FakeVllm(behaviour).application(), port))


if __name__ == "__main__":
    main(sys.argv[1:])
