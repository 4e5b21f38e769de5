"""The copies that the engine keeps of windows and states: as many and as large as is counted."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from lib.core.http import request_json
from lib.engines.base import StartOptions
from lib.engines.llamacpp import child as child_py
from lib.engines.llamacpp import files
from lib.engines.llamacpp.launch import planned
from lib.engines.openai_api import authorization
from lib.fit.architecture import geometry
from lib.fit.context_checkpoints import total_bytes
from lib.fit.gguf import read_file
from lib.processes.background import free_port
from tests.support.blueprints_dense import GEMMA_NORMS, dense
from tests.support.blueprints_recurrent import qwen_hybrid
from tests.support.headers import Blueprint, write
from tests.support.waiting import until

WORDS = [f"{chr(97 + number % 26)}{number}" for number in range(512)]
CONTEXT = 2_048
TALKATIVE = """
import json, runpy, sys, threading
import xllamacpp
made = runpy.run_path(sys.argv[1])["parameters"](xllamacpp, json.load(open(sys.argv[2])))
made.verbosity = 4
server = xllamacpp.Server(made)
threading.Event().wait()
"""


def windows() -> Blueprint:
    return dense(
        "gemma3",
        layers=6,
        width=256,
        forward=512,
        heads=4,
        kv=2,
        length=64,
        vocabulary=len(WORDS),
        tied=True,
        window=512,
        norms=True,
        more_norms=GEMMA_NORMS,
    )


def states() -> Blueprint:
    return qwen_hybrid(
        "qwen35", layers=4, width=256, vocabulary=len(WORDS), heads=2, kv=1, forward=512, values=16
    )


def plain() -> Blueprint:
    return dense(layers=2, width=256, forward=512, heads=4, kv=2, length=64, vocabulary=len(WORDS))


@pytest.mark.parametrize("shape", [windows, states, plain])
@pytest.mark.parametrize("budget", [2**29, 0])
def test_the_engine_keeps_what_is_counted(
    shape: Callable[[], Blueprint], budget: int, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.fit.context_checkpoints.BUDGET_BYTES", budget)
    path = write(models / "small.gguf", shape(), WORDS, ["a 0"])
    counted = total_bytes(geometry(read_file(path)).kinds, CONTEXT, 1, 2.0)
    with _served(models) as (log, ask):
        for tokens in (300, 900, 1_700, 1_900):
            ask(tokens)
        found = _made(log.read_text("utf-8", "replace"))
    if not counted:
        assert found == []
        return
    most = 4 if budget else 1
    assert {of for _, of, _ in found} == {most}
    assert most * max(mib for *_, mib in found) == pytest.approx(counted / 2**20, rel=0.02)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[tuple[Path, Callable[[int], object]]]:
    """The engine as Berth would start it, but that it says more; its log, and a prompt to it."""
    key, options, log = folder / "key", folder / "options", folder / "log"
    key.write_text("secret")
    wanted = StartOptions(context=CONTEXT, threads=1, prompt_cache_mib=0)
    launch = planned(files.find("small"), wanted, free_port(), key)
    options.write_text(launch.model_dump_json())
    to = authorization(SecretStr("secret"))
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-c", TALKATIVE, child_py.__file__, str(options)],
            stdout=output,
            stderr=output,
        )
        try:
            until(lambda: b"all slots are idle" in log.read_bytes(), "it is ready")
            yield (
                log,
                lambda tokens: request_json(
                    "POST",
                    f"{launch.url}/completion",
                    {"prompt": [number % 200 for number in range(tokens)], "n_predict": 1},
                    to,
                ),
            )
        finally:
            child.kill()
            child.wait()


def _made(log: str) -> list[tuple[int, int, float]]:
    """Of each copy that was made: its number, how many there may be, and its MiB."""
    made = r"created context checkpoint (\d+) of (\d+) \(.*size = ([\d.]+) MiB"
    return [(int(n), int(of), float(mib)) for n, of, mib in re.findall(made, log)]
