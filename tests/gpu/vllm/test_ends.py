"""How a real vLLM ends: killed in mid-stream, stopped, and refusing to start."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.base import ChatOptions, Message, StartOptions, State
from lib.engines.vllm import ENGINE, watch
from lib.engines.vllm.causes import Kind, Retry, find
from tests.support.vllm_real import Real, real_slot
from tests.support.waiting import until

HELLO = [Message(role="user", content="Hello")]


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of any slot yet."""
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Real]:
    """A slot of its own, to be harmed."""
    with real_slot(tmp_path) as real:
        real.use(monkeypatch)
        yield real


def test_an_engine_that_is_killed_says_so_ends_with_0_and_comes_back(fresh: Real) -> None:
    fresh.start("tiny", StartOptions())
    stream = ENGINE.chat("tiny", HELLO, ChatOptions(max_tokens=400))
    next(stream)
    fresh.core().send_signal(signal.SIGKILL)
    with pytest.raises(EngineError, match="died in the middle of its reply"):
        list(stream)
    until(lambda: fresh.box.systemd.state(fresh.unit)["NRestarts"] == "1", "a restart")
    until(lambda: fresh.model().state == State.READY, "its second start", seconds=150)
    ENGINE.stop("tiny")
    assert fresh.model().state == State.STOPPED


@pytest.mark.parametrize(
    ("extra", "kind", "message"),
    [
        (
            ["--enable-auto-tool-choice", "--tool-call-parser", "nix"],
            Kind.PARSER,
            "This vLLM has no tool call parser “nix”.",
        ),
        (
            ["--max-model-len", "4000"],
            Kind.CONTEXT_BEYOND_MODEL,
            "A context of 4,000 is more than the model was made for: 1,024.",
        ),
        (["--wrong"], Kind.WRONG_FLAG, "This vLLM does not take what it was started with: --wrong"),
    ],
)
def test_a_start_that_is_refused_names_the_cause(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extra: list[str],
    kind: Kind,
    message: str,
) -> None:
    with real_slot(tmp_path) as real:
        real.use(monkeypatch)
        real.rewrite(extra)
        with pytest.raises(EngineError) as refused:
            ENGINE.start("tiny", StartOptions())
        assert refused.value.message.startswith(message)
        cause = find(real.log, 1)
    assert cause is not None
    assert (cause.kind, cause.retry) == (kind, Retry.NEVER)
