"""A `vllm serve` small enough for a test: the real program's arguments, log, routes and ends.

It is run by its path from a unit's ExecStart. What it does beyond that is told by a file
`behaviour.json` in the model's folder, else in the one named by SLOT_ENGINE:

    {"refuses": "ValueError: …", "code": 1}   says this and ends before it answers
    {"refuses_once": "…"}                      the same, but only the first time
    {"context_fits": 512}                      refuses a longer --max-model-len as vLLM does
    {"stuck": true}                            healthy, and never gives a token
    {"hangs": true}                            never becomes healthy

Standard library only.
"""

import itertools
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LIFETIME_SECONDS = 900
WORDS = ["The", "capital", "of", "France", "is", "Paris", "."]
PREFIX = "(APIServer pid=7) INFO 11-27 10:00:00 [file.py:72]"
CORE = "(EngineCore pid=9) INFO 11-27 10:00:01 [file.py:99]"
ERROR = "(EngineCore pid=9) ERROR 11-27 10:00:02 [core.py:1]"
TOO_LONG = (
    "ValueError: To serve at least one request with the model's max seq len ({asked}), (9.0 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (1.0 GiB). Based on the "
    "available memory, the estimated maximum model length is {fits}. Try increasing "
    "`gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
)
CONTEXT = 4096
KV_TOKENS = 65_536


class Engine(ThreadingHTTPServer):
    """The server with what it was started with."""

    daemon_threads = True

    def __init__(self, port: int, name: str, context: int, behaviour: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.name, self.context, self.behaviour = name, context, behaviour
        self.key = os.environ.get("VLLM_API_KEY", "")
        self.running = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """Its routes."""

    protocol_version = "HTTP/1.1"
    server: Engine

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the access log is off."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, b"", "text/plain")
        elif self.path == "/metrics":
            self._send(200, self._metrics().encode(), "text/plain")
        elif self.path == "/v1/models" and self._has_key():
            row = {"id": self.server.name, "object": "model", "max_model_len": self.server.context}
            self._json(200, {"object": "list", "data": [row]})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/invocations":  # open to everybody, as in the real one
            self._json(200, {"choices": [{"text": "open"}]})
            return
        if not self._has_key():
            return
        if body.get("model") != self.server.name:
            self._json(404, {"error": {"message": f"The model `{body.get('model')}` is unknown."}})
            return
        with self.server.lock:
            self.server.running += 1
        try:
            self._answer(body)
        except OSError:
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.running -= 1

    def _has_key(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.server.key}":
            return True
        self._json(401, {"error": "Unauthorized"})
        return False

    def _answer(self, body: dict[str, Any]) -> None:
        while self.server.behaviour.get("stuck"):
            time.sleep(0.1)
        is_chat = self.path.endswith("/chat/completions")
        count = int(body.get("max_tokens") or body.get("max_completion_tokens") or 16)
        usage = {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}
        if not body.get("stream"):
            text = " ".join(WORDS[:count])
            piece = {"message": {"content": text}} if is_chat else {"text": text}
            choice = {**piece, "index": 0, "finish_reason": "length"}
            self._json(200, {"choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(count):
            word = f"{WORDS[number % len(WORDS)]} "
            piece = {"delta": {"content": word}} if is_chat else {"text": word}
            self._event({"choices": [{**piece, "index": 0, "finish_reason": None}]})
            time.sleep(0.02 if count > 500 else 0)
        end: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
        self._event({"choices": [{**end, "index": 0, "finish_reason": "length"}]})
        self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _metrics(self) -> str:
        concurrency = KV_TOKENS / self.server.context
        labels = f'kv_cache_size_tokens="{KV_TOKENS}",kv_cache_max_concurrency="{concurrency}"'
        return (
            f'vllm:num_requests_running{{engine="0"}} {float(self.server.running)}\n'
            f"vllm:cache_config_info{{{labels}}} 1.0\n"
        )

    def _event(self, value: Any) -> None:
        self._chunk(f"data: {json.dumps(value)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, value: Any) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def say(text: str) -> None:
    print(text, flush=True)


def main(words: list[str]) -> int:
    """Serve as `vllm serve FOLDER --option value …` would."""
    signal.alarm(LIFETIME_SECONDS)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    folder = Path(words[1])
    given = dict(itertools.pairwise(words))
    behaviour = _behaviour(folder)
    say(f"{PREFIX} vLLM server version 0.33.0")
    say(f"{CORE} Starting to load model {folder}...")
    print("Loading safetensors checkpoint shards: 100% Completed | 1/1 [00:00<00:00]", flush=True)
    say(f"{CORE} Loading weights took 0.01 seconds")
    say(f"{CORE} Model loading took 0.01 GiB memory and 0.02 seconds")
    refused = _refusal(behaviour, given.get("--max-model-len", "auto"))
    if refused:
        say(f"{ERROR} {refused}")
        say("RuntimeError: Engine core initialization failed. See root cause above.")
        return int(behaviour.get("code", 1))
    asked = given.get("--max-model-len", "auto")
    context = CONTEXT if asked == "auto" else int(asked)
    say(f"{CORE} torch.compile took 0.1 s in total")
    say(f"{CORE} Available KV cache memory: 1.0 GiB")
    say(f"{CORE} GPU KV cache size: {KV_TOKENS:,} tokens, Maximum concurrency for {context:,} ")
    if behaviour.get("hangs"):
        time.sleep(LIFETIME_SECONDS)
    server = Engine(int(given["--port"]), given["--served-model-name"], context, behaviour)
    say(f"{PREFIX} Application startup complete.")
    server.serve_forever()
    return 0


def _behaviour(folder: Path) -> dict[str, Any]:
    for place in (folder, Path(os.environ.get("SLOT_ENGINE", "/nowhere"))):
        if (place / "behaviour.json").exists():
            found: dict[str, Any] = json.loads((place / "behaviour.json").read_text())
            return {**found, "folder": str(place)}
    return {}


def _refusal(behaviour: dict[str, Any], asked: str) -> str:
    fits = behaviour.get("context_fits")
    if fits and asked != "auto" and int(asked) > fits:
        return TOO_LONG.format(asked=asked, fits=fits)
    if "refuses_once" in behaviour:
        seen = Path(behaviour["folder"]) / "seen"
        if not seen.exists():
            seen.touch()
            return str(behaviour["refuses_once"])
    return str(behaviour.get("refuses", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
