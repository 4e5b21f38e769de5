"""Pulls of the Ollama engine: followed, left, resumed, refused, stalled and broken."""

import threading

import pytest

from lib.core.errors import (
    BadInput,
    EngineError,
    NetworkError,
    NoSpace,
    NotFound,
)
from lib.engines.ollama import ENGINE
from lib.engines.ollama.store import Progress
from tests.support.fake_ollama.registry import STARTER
from tests.support.ollama import faking, ignore, model


def test_a_pull_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Progress] = []
    with faking(monkeypatch):
        ENGINE.pull("two-files", heard.append)
        assert model("two-files:latest").size_bytes == 120_000_000
        ENGINE.pull("two-files", ignore)
    assert heard[-1] == Progress(note="success", done_bytes=120_000_000, total_bytes=120_000_000)
    done = [p.done_bytes for p in heard]
    assert done == sorted(done)
    assert len(set(done)) > 3


def test_a_part_that_is_fetched_again_never_moves_progress_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Progress] = []
    with faking(monkeypatch, "--retry-at", "0.5"):
        ENGINE.pull(STARTER, heard.append)
    done = [p.done_bytes for p in heard]
    assert done == sorted(done)


def test_a_pull_that_was_left_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Progress] = []

    def leave_half_way(progress: Progress) -> None:
        heard.append(progress)
        if progress.done_bytes > 200_000_000:
            raise KeyboardInterrupt

    with faking(monkeypatch, "--pull-seconds", "2") as fake:
        with pytest.raises(KeyboardInterrupt):
            ENGINE.pull(STARTER, leave_half_way)
        fake.last_call("left")
        assert ENGINE.models() == []
        fake.behave(pull_seconds=0.3)
        again: list[Progress] = []
        ENGINE.pull(STARTER, again.append)
    first = next(p.done_bytes for p in again if p.done_bytes)
    assert first >= heard[-1].done_bytes


def test_two_pulls_of_one_model_share_its_download(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--pull-seconds", "1"):
        other = threading.Thread(target=ENGINE.pull, args=(STARTER, ignore))
        other.start()
        ENGINE.pull(STARTER, ignore)
        other.join()
        assert [row.name for row in ENGINE.models()] == [STARTER]


PULL_FAILURES = {
    "hf.co/org/nosuch-GGUF:Q4_K_M": (NotFound, "Neither the Ollama library nor the Hub"),
    "hf.co/org/gated-GGUF:Q4_K_M": (NotFound, "private or gated"),
    "hf.co/org/sharded-GGUF:Q4_K_M": (BadInput, "several files"),
    "hf.co/org/nogguf:Q4_K_M": (BadInput, "no GGUF file"),
    "hf.co/org/model-GGUF:Q9_X": (BadInput, "no such quantization"),
    "nosuch": (NotFound, "Neither the Ollama library nor the Hub"),
}


@pytest.mark.parametrize(("name", "why"), PULL_FAILURES.items(), ids=PULL_FAILURES)
def test_a_pull_that_is_refused_says_why(
    monkeypatch: pytest.MonkeyPatch, name: str, why: tuple[type[Exception], str]
) -> None:
    error, words = why
    with faking(monkeypatch), pytest.raises(error, match=words):
        ENGINE.pull(name, ignore)


def test_a_pull_from_elsewhere_never_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch) as fake:
        for name in ("127.0.0.1:5055/lib/model:q4", "registry.example/org/model", "big:cloud"):
            with pytest.raises(BadInput):
                ENGINE.pull(name, ignore)
        assert fake.bodies("/api/pull") == []


PULL_TROUBLES = {
    "--cut-at": ("0.5", EngineError, "broke off"),
    "--full-at": ("0.5", NoSpace, "disk"),
    "--wrong-bytes": ("", NetworkError, "damaged"),
}


@pytest.mark.parametrize(("option", "how"), PULL_TROUBLES.items(), ids=PULL_TROUBLES)
def test_a_pull_that_fails_on_its_way_installs_nothing(
    monkeypatch: pytest.MonkeyPatch, option: str, how: tuple[str, type[Exception], str]
) -> None:
    value, error, words = how
    with faking(monkeypatch, *filter(None, (option, value))):
        with pytest.raises(error, match=words):
            ENGINE.pull(STARTER, ignore)
        assert ENGINE.models() == []


def test_a_stalled_pull_is_heard_so_that_the_caller_can_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[int] = []

    def give_up(progress: Progress) -> None:
        heard.append(progress.done_bytes)
        if len(heard) > 5 and len(set(heard[-4:])) == 1:
            raise TimeoutError

    with faking(monkeypatch, "--stall-at", "0.5") as fake:
        with pytest.raises(TimeoutError):
            ENGINE.pull(STARTER, give_up)
        fake.last_call("left")


def test_a_pull_that_falls_silent_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = pytest.raises(EngineError, match="took too long")
    with faking(monkeypatch, "--stuck", "/api/pull"), silent:
        ENGINE.pull(STARTER, ignore, silence_seconds=0.3)


def test_a_server_that_is_killed_in_mid_pull_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--pull-seconds", "30") as fake:

        def kill(progress: Progress) -> None:
            if progress.done_bytes:
                fake.process.kill()

        with pytest.raises(EngineError, match="broke off"):
            ENGINE.pull(STARTER, kill)
