"""The grammar that the built-in engine itself makes of a schema, told by its own server.

`python converter.py MODEL` reads a schema a line, asks for one token of a chat that keeps to it,
and prints the grammar that the server says it used, or what it refused with.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from lib.core.settings import ROOT
from lib.engines.llamacpp.tiny import write_tiny
from tests.support import grammars

_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


class Refused(Exception):
    """The engine's own words."""


class Converter(NamedTuple):
    """The running server's two ends."""

    process: "subprocess.Popen[str]"

    def grammar(self, schema: dict[str, Any]) -> grammars.Grammar:
        """What it makes of it; Refused where it makes nothing."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(schema) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "refused" in answer:
            raise Refused(answer["refused"])
        return grammars.read(answer["grammar"])


@contextmanager
def running(folder: Path) -> Iterator[Converter]:
    """One for as long as it is needed."""
    model = folder / "tiny.gguf"
    write_tiny(model)
    command = [sys.executable, "-m", "tests.support.converter", str(model)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Converter(process)
        assert process.stdin
        process.stdin.close()
        process.wait(timeout=20)


def _served(model: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.chat_template = _TEMPLATE
    params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], 0, 256
    params.n_gpu_layers, params.warmup = 0, False
    params.verbosity = 10  # tells the settings of each answer with it
    return xllamacpp.Server(params)


def _asked(address: str, schema: dict[str, Any]) -> dict[str, str]:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    said = [{"role": "user", "content": "Hi"}]
    body = {"messages": said, "max_tokens": 1, "response_format": wanted}
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = cast("dict[str, Any]", json.load(answer))
    except urllib.error.HTTPError as error:
        return {"refused": json.load(error)["error"]["message"]}
    return {"grammar": found["__verbose"]["generation_settings"]["grammar"]}


def main() -> None:
    """Its log goes nowhere: it tells every token."""
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    server = _served(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(_asked(server.listening_address, json.loads(line))), file=answers)
        answers.flush()
    os._exit(0)  # the engine's threads would be waited for


if __name__ == "__main__":
    main()
