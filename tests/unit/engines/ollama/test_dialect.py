"""Ollama without a server: its address, its words, its lines."""

import itertools
import json
import math
import unicodedata
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import (
    BadInput,
    BerthError,
    BrokenFile,
    Conflict,
    DoesNotFit,
    EngineError,
    NetworkError,
    NoSpace,
    NotFound,
    TooLong,
)
from lib.engines.base import Delta, State, Usage
from lib.engines.ollama import api as ollama_api
from lib.engines.ollama import engine as ollama
from lib.engines.ollama import store as ollama_store
from lib.engines.ollama import words as ollama_words
from lib.engines.ollama.api import Step
from lib.engines.ollama.reply import deltas

ADDRESSES = {
    "": "http://127.0.0.1:11434",
    "  ": "http://127.0.0.1:11434",
    "192.168.1.7": "http://192.168.1.7:11434",
    "192.168.1.7:8080": "http://192.168.1.7:8080",
    ":8080": "http://127.0.0.1:8080",
    "box.local": "http://box.local:11434",
    "box_2:1234": "http://box_2:1234",
    "http://box.local": "http://box.local",  # port 80, as in Ollama
    "http://box.local:11434/": "http://box.local:11434",
    "https://box.local": "https://box.local",
    "https://box.local:8443/ollama/": "https://box.local:8443/ollama",
    '"127.0.0.1:11500"': "http://127.0.0.1:11500",
    "0.0.0.0": "http://127.0.0.1:11434",
    "0.0.0.0:11500": "http://127.0.0.1:11500",
    "http://0.0.0.0:11500": "http://127.0.0.1:11500",
    "::": "http://[::1]:11434",
    "[::]:11500": "http://[::1]:11500",
    "::1": "http://[::1]:11434",
    "[fe80::1]": "http://[fe80::1]:11434",
}
NO_ADDRESSES = [
    "user:secret@box",
    "http://user:secret@box:11434",
    "ftp://box",
    "file:///etc/passwd",
    "box:99999",
    "box:0",
    "box:x",
    "two words",
    "box?q=1",
    "box/path?q=1",
    "[::1",
    "[nonsense]:1",
    "999.1.1.1",
    "ollama\x00",
    "ollama\nhost",
    "\u202ebox",
    "x" * 10_000 + " ",
]


@pytest.mark.parametrize(("given_as", "means"), ADDRESSES.items(), ids=repr)
def test_every_form_of_ollama_host_is_understood(
    given_as: str, means: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", given_as)
    assert ollama_api.address() == means


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=lambda text: repr(text)[:40])
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        ollama_api.parsed_address(text)
    assert "secret" not in str(caught.value)


@given(st.text() | st.from_regex(r"(https?://)?[\w.\[\]:-]{0,30}(:\d{1,6})?(/[\w.]*)?"))
def test_any_text_is_an_address_that_can_be_asked_or_bad_input(text: str) -> None:
    try:
        url = httpx.URL(ollama_api.parsed_address(text))
    except BadInput:
        return
    assert url.scheme in ("http", "https")
    assert url.host
    assert not url.userinfo
    assert not url.query


VERSIONS = {
    "0.17.1": True,
    "0.17.1-rc2": True,
    "0.24.1": True,
    "v1.0.0": True,
    "0.100.0": True,
    "0.17.0": False,
    "0.9.6": False,
    "0.0.0": False,
    "": False,
    "nonsense": False,
    "9" * 5_000: False,
}


@pytest.mark.parametrize(("version", "may_be_used"), VERSIONS.items(), ids=lambda v: str(v)[:20])
def test_only_versions_without_the_memory_leak_are_used(version: str, may_be_used: bool) -> None:
    health = ollama._judged(version)
    assert health.up is may_be_used
    if not may_be_used:
        assert "0.17.1" in health.problem
        assert "Update" in health.fix


SAME = [
    ("llama3.2", "llama3.2:latest"),
    ("Llama3.2:1B", "llama3.2:1b"),
    ("registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
    ("hf.co/Org/Model-GGUF:Q4_K_M", "hf.co/org/model-gguf:q4_k_m"),
]
DIFFERENT = [
    ("llama3.2:1b", "llama3.2:3b"),
    ("llama3.2", "llama3.2:1b"),
    ("org/model", "model"),
    ("hf.co/org/model-GGUF:Q4_K_M", "model-GGUF:Q4_K_M"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_ollama_takes_for_one_are_one(one: str, other: str) -> None:
    assert ollama.full_name(one) == ollama.full_name(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_name_is_never_taken_for_a_similar_one(one: str, other: str) -> None:
    assert ollama.full_name(one) != ollama.full_name(other)


@pytest.mark.parametrize(
    "name",
    [
        "llama3.2",
        "llama3.2:1b",
        "someone/model:tag",
        "hf.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:Q4_K_M",
        "huggingface.co/org/model",
    ],
)
def test_models_of_the_library_and_the_hub_may_be_pulled(name: str) -> None:
    ollama_store.check_source(name)


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1:5055/lib/model",
        "169.254.169.254/latest/meta-data",
        "registry.example/org/model:q4",
        "http://hf.co/org/model",
        "gpt-oss:120b-cloud",
        "qwen3-coder:cloud",
        "../../etc/passwd",
        "a;b",
        "a b",
        "",
        "x" * 10_000,
        "name\x00",
        "name\u202e",
    ],
    ids=lambda name: repr(name)[:40],
)
def test_a_pull_from_elsewhere_or_of_what_runs_elsewhere_is_bad_input(name: str) -> None:
    with pytest.raises(BadInput):
        ollama_store.check_source(name)


def step(digest: str = "", completed: int = 0, total: int = 0, status: str = "pulling") -> Step:
    return Step(status=status, digest=digest, completed=completed, total=total)


def test_progress_is_the_sum_over_all_layers_and_ends_complete() -> None:
    steps = [
        step(status="pulling manifest"),
        step("a", 10, 100),
        step("a", 60, 100),
        step("b", 0, 50),
        step("b", 30, 50),
        step(status="success"),
    ]
    told = [(p.done_bytes, p.total_bytes) for p in ollama_store.summed(steps)]
    assert told == [(0, 0), (10, 100), (60, 100), (60, 150), (90, 150), (150, 150)]


@given(
    st.lists(
        st.builds(
            step, st.sampled_from(["", "a", "b", "c"]), st.integers(0, 2**50), st.integers(0, 2**50)
        )
    )
)
def test_progress_never_goes_back_whatever_a_layer_tells(steps: list[Step]) -> None:
    told = list(ollama_store.summed([*steps, step(status="success")]))
    for before, after in itertools.pairwise(told):
        assert after.total_bytes >= before.total_bytes
    for before, after in itertools.pairwise(told[:-1]):
        assert after.done_bytes >= before.done_bytes
    assert told[-1].done_bytes == told[-1].total_bytes


def chat_line(content: str = "", thinking: str = "", **more: Any) -> str:
    message = {"role": "assistant", "content": content, "thinking": thinking}
    return json.dumps({"model": "m", "created_at": "T", "message": message, "done": False, **more})


TOTALS: dict[str, Any] = {
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 36,
    "prompt_eval_duration": 322_239_000,
    "eval_count": 8,
    "eval_duration": 284_473_000,
}


def test_a_chat_becomes_reasoning_text_and_figures() -> None:
    lines = [chat_line(thinking="hm"), chat_line("Par"), chat_line("is"), chat_line(**TOTALS)]
    *pieces, last = deltas(lines)
    assert pieces == [Delta(reasoning="hm"), Delta(text="Par"), Delta(text="is")]
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (36, 8)
    assert last.usage.prompt_ms == pytest.approx(322.239)
    assert last.usage.tokens_per_second == pytest.approx(8 / 0.284473)


def test_a_completion_is_read_from_its_own_field() -> None:
    lines = ['{"response":" Paris","done":false}', json.dumps({"response": "", **TOTALS})]
    first, last = deltas(lines)
    assert first == Delta(text=" Paris")
    assert last.finish_reason == "stop"


def test_a_single_token_has_no_speed() -> None:
    [last] = deltas([chat_line(done=True, done_reason="length", eval_count=1, eval_duration=1)])
    assert last.finish_reason == "length"
    assert last.usage == Usage(completion_tokens=1)


def test_a_reply_without_its_last_line_was_cut() -> None:
    with pytest.raises(EngineError, match="in the middle of its reply"):
        list(deltas([chat_line("half")]))


def test_an_error_in_a_stream_is_an_error() -> None:
    said = '{"error":"an error was encountered while running the model: unexpected EOF"}'
    stream = deltas([chat_line("half"), said])
    assert next(stream) == Delta(text="half")
    with pytest.raises(EngineError, match="in the middle of its reply"):
        next(stream)


@given(st.lists(st.text() | st.just(chat_line("x")) | st.from_regex(r'\{"\w*": ?[\w"{}]*\}')))
def test_any_lines_end_in_words(lines: list[str]) -> None:
    try:
        pieces = list(deltas(lines))
    except BerthError as error:
        assert error.message
        return
    assert pieces[-1].finish_reason


def overrun(asked: int, context: int) -> str:
    inner = {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}
    inner["error"].update({"n_prompt_tokens": asked, "n_ctx": context})
    return json.dumps({"error": json.dumps(inner)})


SAID: dict[str, tuple[str, type[BerthError], str]] = {
    "unknown model": ('{"error":"model \'llama3.2:3b\' not found"}', NotFound, "llama3.2:3b"),
    "too long": (overrun(6030, 4096), TooLong, "6,030 tokens.*4,096"),
    "too long, older": ("the input length exceeds the context length", TooLong, "longer than"),
    "no manifest": ("pull model manifest: file does not exist", NotFound, "library nor the Hub"),
    "gated": ('pull model manifest: realm host "" does not match', NotFound, "private or gated"),
    "sharded": ('manifest: 400: {"error":"contains sharded GGUF"}', BadInput, "several files"),
    "no gguf": ("400: Repository is not GGUF or is not compatible", BadInput, "no GGUF file"),
    "no network": ("dial tcp: lookup hf.co on 192.0.2.53:53: no such host", NetworkError, "reach"),
    "no tls": ('pull model manifest: Get "https://x/v2": EOF', NetworkError, "reach"),
    "damaged": ("digest mismatch, file must be downloaded again: want a", NetworkError, "damaged"),
    "changed": ('digest mismatch, expected "a", got "b"', Conflict, "changed while"),
    "disk full": ("write /x: no space left on device", NoSpace, "full"),
    "no gguf file": ("supplied file was not in GGUF format", BrokenFile, "no GGUF"),
    "cut file": ('tensor "x" offset+size (9) exceeds file size (5)', BrokenFile, "cut"),
    "cut header": ("unexpected EOF", BrokenFile, "cut"),
    "memory": (
        "model requires more system memory (9.9 GiB) than is available (2.1 GiB)",
        DoesNotFit,
        "9.9 GiB of memory, and 2.1 GiB",
    ),
    "image": ('"m" does not support vision', BadInput, "no vision"),
    "busy": ("server busy, please try again.  maximum pending", Conflict, "too many"),
    "crash": ("llama-server process has terminated: signal: killed", EngineError, "killed"),
    "architecture": (
        "llama-server process has terminated: unknown model architecture: 'zzz'",
        EngineError,
        "kind “zzz”",
    ),
    "parser": (
        "llama-server chat error: map[code:500 message:odd output type:server_error]",
        EngineError,
        "refused: odd output",
    ),
    "plain": ("404 page not found", EngineError, "404 page not found"),
    "nothing": ("", EngineError, "status 500"),
}


@pytest.mark.parametrize(("said", "error", "words"), SAID.values(), ids=SAID)
def test_what_ollama_says_is_put_into_words(said: str, error: type[BerthError], words: str) -> None:
    found = ollama_words.explained_error(said)
    assert type(found) is error
    assert found.fix
    with pytest.raises(error, match=words):
        raise found


@given(st.text() | st.recursive(st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_error_text_can_be_shown(said: str) -> None:
    error = ollama_words.explained_error(said)
    assert not any(unicodedata.category(c)[0] == "C" for c in error.message.replace("\ufffd", ""))
    assert len(error.message) < 1_000
    wrapped = ollama_words.explained_error(json.dumps({"error": said}))
    assert isinstance(wrapped, BerthError)


@pytest.mark.parametrize("deep", ["[" * 60_000, '{"error":' * 30_000, '"' * 1_000])
def test_deeply_nested_errors_are_still_errors(deep: str) -> None:
    assert isinstance(ollama_words.explained_error(deep), BerthError)


def test_totals_are_numbers_that_can_be_drawn() -> None:
    [last] = deltas([chat_line(**{**TOTALS, "eval_duration": 0})])
    assert last.usage is not None
    assert last.usage.tokens_per_second is None
    assert math.isfinite(last.usage.prompt_ms or 0)


def test_a_model_deleted_while_loaded_says_so() -> None:
    left = ollama._leftover(ollama_api.Loaded(name="gone:q4", size=5, context_length=4096))
    assert left.state == State.STOPPING
    assert "deleted while it was loaded" in left.problem
