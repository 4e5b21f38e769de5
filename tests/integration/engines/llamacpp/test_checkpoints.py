"""The copies that the engine keeps of windows and states: as many and as large as is counted."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.fit.architecture import geometry
from lib.fit.context_checkpoints import total_bytes
from lib.fit.gguf import read_file
from tests.support.blueprints_dense import GEMMA_NORMS, dense
from tests.support.blueprints_recurrent import qwen_hybrid
from tests.support.headers import Blueprint, write
from tests.support.talkative import served

WORDS = [f"{chr(97 + number % 26)}{number}" for number in range(512)]
CONTEXT = 2_048


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
    with served("small", models, CONTEXT) as engine:
        for tokens in (300, 900, 1_700, 1_900):
            prompt = [number % 200 for number in range(tokens)]
            engine.ask("/completion", {"prompt": prompt, "n_predict": 1})
        found = _made(engine.said)
    if not counted:
        assert found == []
        return
    most = 4 if budget else 1
    assert {of for _, of, _ in found} == {most}
    assert most * max(mib for *_, mib in found) == pytest.approx(counted / 2**20, rel=0.02)


def _made(log: str) -> list[tuple[int, int, float]]:
    """Of each copy that was made: its number, how many there may be, and its MiB."""
    made = r"created context checkpoint (\d+) of (\d+) \(.*size = ([\d.]+) MiB"
    return [(int(n), int(of), float(mib)) for n, of, mib in re.findall(made, log)]
