"""How far a start of vLLM has come, and what it got, from its log."""

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from lib.engines.vllm.stages import Step, given, read
from tests.support import vllm_logs as logs

CACHED = logs.BEGUN + logs.LOADING + logs.LOADED + logs.COMPILED + logs.REDUCED


@pytest.mark.parametrize(
    ("log", "step", "title"),
    [
        ("", Step.PROGRAM, "Starting the program"),
        (logs.BEGUN, Step.PROGRAM, "Starting the program"),
        (logs.BEGUN + logs.LOADING, Step.WEIGHTS, "Loading the weights (1 of 4)"),
        (
            logs.BEGUN + logs.LOADING + logs.LOADED,
            Step.COMPILE,
            "Measuring and compiling, which takes minutes the first time",
        ),
        (CACHED, Step.CACHE, "Making room for conversations"),
        (CACHED + logs.GRAPHS, Step.GRAPHS, "Recording CUDA graphs (14 of 35)"),
        (logs.STARTED, Step.READY, "Ready"),
        (logs.STARTED + logs.BEGUN + logs.LOADING, Step.WEIGHTS, "Loading the weights (1 of 4)"),
    ],
)
def test_a_log_tells_the_step_and_its_progress(log: str, step: Step, title: str) -> None:
    stage = read(log)
    assert (stage.step, stage.title) == (step, title)


@pytest.mark.parametrize("kv", [logs.ONE_LINE, logs.TWO_LINES], ids=["one line", "two lines"])
def test_both_forms_of_the_cache_line_are_understood(kv: str) -> None:
    got = given(CACHED + kv)
    assert (got.kv_tokens, got.concurrency, got.context) == (81_920, 2.0, 40_960)


def test_what_the_engine_got_is_read_from_the_whole_start() -> None:
    got = given(logs.STARTED)
    assert (got.context_wanted, got.context) == (131_072, 40_960)
    assert (got.weights_gib, got.kv_gib, got.graphs_gib) == (5.2, 9.31, 0.41)
    assert got.kv_bytes_hint == 10_479_616_000


def test_a_log_without_figures_gives_none() -> None:
    assert set(given(logs.BEGUN).model_dump().values()) == {None}


@example(st.text(max_size=2_000))
def test_any_text_is_read_without_a_failure(text: str) -> None:
    stage = read(text)
    assert 0 <= stage.done <= stage.total
    given(text)
