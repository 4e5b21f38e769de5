"""The sentence about the memory's speed, and the model that it takes for an example."""

from pathlib import Path
from typing import Any

import pytest

from lib.engines.base import Model, State
from lib.machine import bandwidth
from lib.machine.bandwidth import Known
from lib.ui.system import bandwidth as sentence
from lib.ui.system.bandwidth import example, said

GB = 10**9
QUIET = Known(measured=18.2 * GB, is_rough=False)


def model(name: str, gb: float, **more: Any) -> Model:
    told = {"engine": "ollama", "state": State.STOPPED, "size_bytes": int(gb * GB), **more}
    return Model(name=name, **told)


def test_it_says_what_the_speed_means_for_a_model() -> None:
    assert said(QUIET, model("qwen", 4.9), 0) == (
        "Memory moves 18.2 GB/s here: qwen (4.9 GB) writes at most 3.7 tok/s on the processor."
    )


def test_of_experts_only_what_a_token_needs_counts() -> None:
    assert said(QUIET, model("moe", 18.6), 2 * GB) == (
        "Memory moves 18.2 GB/s here: moe (18.6 GB), of which a token needs 2.0 GB, writes at most "
        "9.1 tok/s on the processor."
    )


def test_without_a_model_it_speaks_of_a_usual_one() -> None:
    assert "a 4.9 GB model writes at most 3.7 tok/s" in said(QUIET, None, 0)


def test_what_was_measured_while_others_were_busy_is_called_a_least() -> None:
    rough = Known(measured=9 * GB, is_rough=True)
    assert said(rough, model("qwen", 4.5), 0) == (
        "Memory moves at least 9.0 GB/s here: qwen (4.5 GB) writes about 2.0 tok/s "
        "on the processor."
    )
    assert "at least" not in said(Known(measured=9 * GB, written=12 * GB), None, 0)


def test_the_example_is_the_largest_that_runs_else_the_largest() -> None:
    every = [
        model("small", 1, state=State.READY),
        model("large", 9),
        model("far", 99, is_elsewhere=True, state=State.READY),
        model("huge", 40),
    ]
    assert example(every) == every[0]
    assert example(every[1:]) == every[3]
    assert example([]) is None


def test_nothing_is_measured_for_a_page_without_a_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bandwidth, "measured", lambda: 1 // 0)
    assert sentence.sentence() == ""
    bandwidth.has_reached(12 * GB)
    assert sentence.sentence().startswith("Memory moves 12.0 GB/s here: a 4.9 GB model")
