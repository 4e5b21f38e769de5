"""A `llama-server` of the user's own: its flags, its version line, and the real engine behind them.

    tests/support/own_llama_server.py --behave '{"dies_of": {"big": 4}}' -m FILE --port 8080 …

The flags are those of the real program, and one that is unknown ends it as it ends that. It serves
through the engine of the wheel. In a test `write_program` makes an executable that behaves oddly.
"""

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
VALUES = ("-m", "-c", "-np", "-t", "-ctk", "-ctv", "--host", "--port", "--api-key-file", "--alias")
OPTIONAL = (
    *("--cache-ram", "--ctx-checkpoints", "--mmproj", "--image-max-tokens"),
    *("--chat-template-file", "-b", "-ub", "-md", "-ngl"),
)
SWITCHES = ("--no-webui", "--metrics", "--slots", "--props", "--no-context-shift")
TASKS = {"--embedding": "embedding", "--reranking": "ranking"}


@dataclass
class Behaviour:
    """What it does, besides the work."""

    version: str = "version: 10488 (abc1234)\nbuilt with GNU 12.2.0 for Linux x86_64"
    version_code: int = 0
    version_seconds: float = 0
    lacks: list[str] = field(default_factory=list)  # flags
    hangs: bool = False  # never loads
    waits_for: str = ""  # a file: before it is there, nothing is loaded
    dies_of: dict[str, int] = field(default_factory=dict)  # signals, by a part of the model's path
    says: dict[str, str] = field(default_factory=dict)  # and ends with 1, by the same
    counter: str = ""  # a file that grows by a byte for each start


def write_program(path: Path, **behaviour: Any) -> Path:
    """An executable at `path` that is this program with these behaviours."""
    options = json.dumps(asdict(Behaviour(**behaviour)))
    command = shlex.join([sys.executable, str(Path(__file__)), "--behave", options])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return path


def main(arguments: list[str]) -> int:
    do = Behaviour(**json.loads(arguments[1]))
    if do.counter:
        with Path(do.counter).open("a") as file:
            file.write(".")
    given = arguments[2:]
    if given == ["--version"]:
        time.sleep(do.version_seconds)
        print(do.version, file=sys.stderr)
        return do.version_code
    unknown = [flag for flag in given if flag.startswith("-") and not _knows(flag, do)]
    if unknown:
        print(f"error: invalid argument: {unknown[0]}", file=sys.stderr)
        return 1
    return _serve(_parsed(given), do)


def _knows(flag: str, do: Behaviour) -> bool:
    return flag in (*VALUES, *OPTIONAL, *SWITCHES, *TASKS) and flag not in do.lacks


def _parsed(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for flag in VALUES:
        parser.add_argument(flag, required=True, dest=flag.strip("-"))
    parser.add_argument("--cache-ram", type=int, default=8192)
    parser.add_argument("--ctx-checkpoints", type=int, default=32)
    parser.add_argument("--mmproj", default="")
    parser.add_argument("--image-max-tokens", type=int, default=0)
    parser.add_argument("--chat-template-file", default="", dest="template")
    parser.add_argument("-md", default="", dest="draft")
    parser.add_argument("-ngl", type=int, default=0)
    parser.add_argument("-b", type=int, default=2048)
    parser.add_argument("-ub", type=int, default=512)
    for flag, task in TASKS.items():
        parser.add_argument(flag, action="store_const", const=task, dest="task", default="writing")
    for flag in SWITCHES:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(given)


def _serve(given: argparse.Namespace, do: Behaviour) -> int:
    while do.hangs:
        time.sleep(60)
    while do.waits_for and not Path(do.waits_for).exists():
        time.sleep(0.02)
    for part, number in do.dies_of.items():
        if part in given.m:
            os.kill(os.getpid(), number)
    for part, line in do.says.items():
        if part in given.m:
            print(line, file=sys.stderr)
            return 1
    sys.path.insert(0, str(ROOT))
    from lib.engines.llamacpp import child as llamacpp_child

    llamacpp_child.main(
        {
            "path": given.m,
            "projector": given.mmproj,
            "image_tokens": given.image_max_tokens,
            "template": given.template,
            "task": given.task,
            "batch": given.ub,
            "alias": given.alias,
            "port": int(given.port),
            "key_file": vars(given)["api-key-file"],
            "context": int(given.c),
            "slots": int(given.np),
            "threads": int(given.t),
            "kv_type": given.ctk,
            "prompt_cache_mib": given.cache_ram,
            "checkpoints": given.ctx_checkpoints,
            "gpu_layers": 0,
            "draft": given.draft,
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
