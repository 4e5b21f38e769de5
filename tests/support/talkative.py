"""The built-in engine as Berth starts it, but that it says more of what it does with memory."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from lib.core.http import request_json
from lib.engines.base import StartOptions
from lib.engines.llamacpp import child as child_py
from lib.engines.llamacpp import files
from lib.engines.llamacpp.launch import planned
from lib.engines.openai_api import authorization
from lib.processes.background import free_port
from tests.support.waiting import until

_STARTED = """
import json, runpy, sys, threading
import xllamacpp
made = runpy.run_path(sys.argv[1])["parameters"](xllamacpp, json.load(open(sys.argv[2])))
made.verbosity, made.warmup = 5, False
server = xllamacpp.Server(made)
threading.Event().wait()
"""


class Talkative(NamedTuple):
    """Where it answers, and what it has said."""

    url: str
    key: SecretStr
    log: Path

    @property
    def said(self) -> str:
        """So far."""
        return self.log.read_text("utf-8", "replace")

    def ask(self, route: str, body: dict[str, Any]) -> object:
        """What it answers."""
        return request_json("POST", f"{self.url}{route}", body, authorization(self.key))


@contextlib.contextmanager
def served(name: str, folder: Path, context: int) -> Iterator[Talkative]:
    """It has loaded the model of this name; it is killed at the end."""
    key, options, log = folder / "key", folder / "options", folder / "log"
    key.write_text("secret")
    wanted = StartOptions(context=context, threads=1, prompt_cache_mib=0)
    launch = planned(files.find(name), wanted, free_port(), key)
    options.write_text(launch.model_dump_json())
    command = [sys.executable, "-c", _STARTED, child_py.__file__, str(options)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as child:
        try:
            engine = Talkative(launch.url, SecretStr("secret"), log)
            until(lambda: "all slots are idle" in engine.said, "it is ready")
            yield engine
        finally:
            child.kill()
