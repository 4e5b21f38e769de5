"""What an answer that passed through the gateway tells of itself, in the dialect of each engine."""

import json
import time
from typing import Any

import pytest

from lib.api.speeds import Heard
from lib.engines.base import Usage


def stream(*events: dict[str, Any]) -> Heard:
    heard = Heard()
    for event in events:
        heard.piece(f"data: {json.dumps(event)}\n\n".encode())
    heard.piece(b"data: [DONE]\n\n")
    return heard


def whole(body: dict[str, Any]) -> Usage:
    heard = Heard()
    heard.whole(json.dumps(body).encode())
    return heard.usage()


def test_llama_server_tells_its_clock_even_where_nobody_asked_for_usage() -> None:
    timings = {"cache_n": 90, "prompt_n": 10, "predicted_n": 7, "predicted_per_second": 31.5}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "timings": timings}
    found = stream({"choices": [{"delta": {"content": "a"}}]}, last).usage()
    assert found == Usage(prompt_tokens=100, completion_tokens=7, tokens_per_second=31.5)


def test_vllm_tells_usage_last_and_the_clock_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, *(n / 10 for n in range(12)), 1.2])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    pieces = [{"choices": [{"delta": {"content": "a"}}], "usage": None} for _ in range(12)]
    details = {"prompt_tokens_details": {"cached_tokens": 3}, "prompt_tokens": 5}
    usage = {"choices": [], "usage": {**details, "completion_tokens": 13}}
    found = stream(*pieces, usage).usage()
    assert (found.prompt_tokens, found.completion_tokens) == (5, 13)
    assert found.tokens_per_second == pytest.approx(10.0)


def test_where_nothing_is_told_each_event_is_about_a_token() -> None:
    role, word = ({"choices": [{"delta": d}]} for d in ({"role": "assistant"}, {"content": "a"}))
    assert stream(role, word, word, word).usage().completion_tokens == 3
    assert Heard().usage() == Usage()


def test_a_few_tokens_tell_no_speed() -> None:
    word = {"choices": [{"delta": {"content": "a"}}]}
    assert stream(word, word, word).usage().tokens_per_second is None


def test_a_whole_answer_has_it_before_or_after_a_long_vector() -> None:
    usage, vector = {"prompt_tokens": 8, "total_tokens": 8}, {"data": [0.123] * 5_000}
    assert whole({"usage": usage, **vector}).prompt_tokens == 8
    assert whole({**vector, "usage": usage}).prompt_tokens == 8


@pytest.mark.parametrize(
    "told", [None, 7, [], {}, {"prompt_tokens": "many"}, {"prompt_tokens": {}}, {"a": [[[]]]}]
)
def test_figures_of_another_shape_are_none(told: object) -> None:
    assert whole({"usage": told, "timings": told}) == Usage()


def test_a_text_with_figures_in_it_tells_nothing() -> None:
    said = 'the "usage": {"prompt_tokens": 99} and "timings": {"predicted_n": 99}'
    assert whole({"choices": [{"message": {"content": said}}]}) == Usage()
