"""The fake `ollama` command: what it prints and how it exits, over the server of `OLLAMA_HOST`.

Replies and lists go to stdout, progress and errors to stderr; a failure exits with 1. `serve` is
the fake server itself. Only the standard library is used, so that any Python can run it.
"""

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

VERSION = "0.24.1"
NO_SERVER = "could not connect to ollama server, run 'ollama serve' to start it"


class Failure(Exception):
    """Its text follows `Error: `."""


def base_url() -> str:
    host = os.environ.get("OLLAMA_HOST") or "127.0.0.1:11434"
    return host if "://" in host else f"http://{host}"


def lines(method: str, path: str, body: Any = None) -> Iterator[dict[str, Any]]:
    """The JSON lines of an answer; Failure where one is an error."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(base_url() + path, data, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            for line in answer:
                told = json.loads(line)
                if "error" in told:
                    raise Failure(told["error"])
                yield told
    except urllib.error.HTTPError as error:
        raise Failure(json.loads(error.read() or b"{}").get("error", str(error))) from error
    except urllib.error.URLError as error:
        raise Failure(NO_SERVER) from error


def one(method: str, path: str, body: Any = None) -> dict[str, Any]:
    return next(lines(method, path, body), {})


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        print("".join(f"{cell:<{width}}    " for cell, width in zip(row, widths, strict=True)))


def size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= factor:
            value = count / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count} B"


def list_models() -> None:
    rows = one("GET", "/api/tags")["models"]
    table(
        ("NAME", "ID", "SIZE", "MODIFIED"),
        [(r["name"], r["digest"][:12], size(r["size"]), "3 seconds ago") for r in rows],
    )


def list_running() -> None:
    rows = one("GET", "/api/ps")["models"]
    table(
        ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"),
        [
            (
                row["name"],
                row["digest"][:12],
                size(row["size"]),
                "100% CPU",
                str(row["context_length"]),
                "4 minutes from now",
            )
            for row in rows
        ],
    )


def show(name: str) -> None:
    about = one("POST", "/api/show", {"model": full(name)})
    details, info = about["details"], about["model_info"]
    family = info["general.architecture"]
    print("  Model")
    print(f"    architecture        {family}")
    print(f"    parameters          {details['parameter_size']}")
    print(f"    context length      {info[f'{family}.context_length']}")
    print(f"    embedding length    {info[f'{family}.embedding_length']}")
    print(f"    quantization        {details['quantization_level']}")
    print("\n  Capabilities")
    for capability in about["capabilities"]:
        print(f"    {capability}")
    if about.get("parameters"):
        print("\n  Parameters")
        print("\n".join(f"    {line}" for line in about["parameters"].splitlines()))


def pull(name: str) -> None:
    for step in lines("POST", "/api/pull", {"model": name}):
        total, done = step.get("total", 0), step.get("completed", 0)
        share = f": {100 * done // total:3d}% {size(done)}/{size(total)}" if total else ""
        print(f"{step['status']}{share}", file=sys.stderr, flush=True)


def run(name: str, *prompt: str) -> None:
    try:
        one("POST", "/api/show", {"model": name})
    except Failure:
        pull(name)
    for piece in lines("POST", "/api/generate", {"model": name, "prompt": " ".join(prompt)}):
        print(piece.get("response", ""), end="", flush=True)
    print()


def stop(name: str) -> None:
    try:
        one("POST", "/api/generate", {"model": name, "keep_alive": 0})
    except Failure as error:
        if "not found" not in str(error):
            raise
        raise Failure(f'couldn\'t find model "{name}" to stop') from error


def remove(*names: str) -> None:
    for name in names:
        list(lines("DELETE", "/api/delete", {"model": name}))
        print(f"deleted '{name}'")


def copy(source: str, target: str) -> None:
    list(lines("POST", "/api/copy", {"source": source, "destination": target}))
    print(f"copied '{source}' to '{target}'")


def create(name: str, *options: str) -> None:
    """`create NAME -f Modelfile`, of which FROM (a file or a model) and PARAMETER count."""
    modelfile = Path(options[1] if options[:1] == ("-f",) else "Modelfile")
    words = [line.split(maxsplit=2) for line in modelfile.read_text().splitlines() if line.strip()]
    source = next(word[1] for word in words if word[0].upper() == "FROM")
    body: dict[str, Any] = {"model": name, "from": source}
    if (modelfile.parent / source).is_file():
        data = (modelfile.parent / source).read_bytes()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        print(f"copying file {digest} 100%", file=sys.stderr)
        list(lines("POST", f"/api/blobs/{digest}", data))
        body = {"model": name, "files": {Path(source).name: digest}}
    body["parameters"] = {word[1]: word[2] for word in words if word[0].upper() == "PARAMETER"}
    for step in lines("POST", "/api/create", body):
        print(step["status"], file=sys.stderr)


def serve() -> None:
    port = base_url().rpartition(":")[2]
    os.execv(sys.executable, [sys.executable, "-m", "tests.support.fake_ollama", "--port", port])


def version() -> None:
    try:
        print(f"ollama version is {one('GET', '/api/version')['version']}")
    except Failure:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {VERSION}")


def full(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


COMMANDS: dict[str, Callable[..., None]] = {
    "--version": version,
    "-v": version,
    "list": list_models,
    "ls": list_models,
    "ps": list_running,
    "show": show,
    "pull": pull,
    "run": run,
    "stop": stop,
    "rm": remove,
    "cp": copy,
    "create": create,
    "serve": serve,
}


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    name, *rest = arguments or ["--help"]
    try:
        if name not in COMMANDS:
            raise Failure(f'unknown command "{name}" for "ollama"')
        COMMANDS[name](*rest)
    except Failure as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
