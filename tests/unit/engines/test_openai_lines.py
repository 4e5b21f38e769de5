"""The `/v1` dialect, line by line: whatever an engine may send, and whatever it may refuse with."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import EngineError
from lib.core.http import Refused, lines_of
from lib.engines.base import Delta
from lib.engines.openai_api import deltas, explained
from tests.support.replies import text_of

DONE = "data: [DONE]"


def event(**fields: Any) -> str:
    return f"data: {json.dumps(fields, ensure_ascii=False)}"


def token(text: str) -> str:
    return event(choices=[{"index": 0, "delta": {"content": text}}])


@pytest.mark.parametrize("body", ["", "<html>", "null", "[]", '"no"', '{"error":"no"}', "{}"])
def test_an_error_answer_may_have_any_shape(body: str) -> None:
    assert explained(Refused(500, body)).message.startswith("The engine refused: ")


def test_an_error_line_of_its_own_kind_is_raised_too() -> None:
    with pytest.raises(EngineError, match="The engine refused: no room"):
        list(deltas([token("a"), 'error: {"message": "no room"}']))


def test_pings_event_names_and_blank_lines_are_passed_over() -> None:
    lines = [": ping", "", "event: message", "id: 7", "retry", token("a"), "", DONE, token("b")]
    assert text_of(deltas(lines)) == "a"


def test_a_finish_without_done_is_an_end() -> None:
    lines = [token("a"), event(choices=[{"delta": {}, "finish_reason": "length"}])]
    assert [*deltas(lines)][-1].finish_reason == "length"


def test_the_last_piece_always_has_a_reason() -> None:
    assert [delta.finish_reason for delta in deltas([DONE])] == ["stop"]


def test_one_token_has_no_speed() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    lines = [event(usage=usage, timings={"predicted_per_second": 1_000_000.0}), DONE]
    [last] = deltas(lines)
    assert last.usage is not None
    assert last.usage.tokens_per_second is None


@given(st.lists(st.text(max_size=80) | st.text(max_size=80).map("data: {}".format), max_size=8))
def test_no_line_raises_anything_but_an_engine_error(lines: list[str]) -> None:
    consume(lines)


NAMES = ["choices", "delta", "content", "text", "error", "usage", "timings", "finish_reason"]


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), values, max_size=4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | objects(inner),
    max_leaves=12,
)


@given(st.lists(objects(JSON), max_size=4))
def test_no_event_raises_anything_but_an_engine_error(events: list[dict[str, Any]]) -> None:
    consume([event(**fields) for fields in events])


@given(JSON)
def test_no_refusal_raises_anything(said: Any) -> None:
    assert explained(Refused(500, json.dumps(said))).message
    assert explained(Refused(500, json.dumps({"error": said}))).message


def consume(lines: list[str]) -> None:
    try:
        for delta in deltas(lines):
            assert isinstance(delta, Delta)
    except EngineError as error:
        assert error.message


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
    st.sampled_from(["\n", "\r\n"]),
)
def test_nothing_is_lost_however_the_bytes_are_cut(
    said: list[str], cuts: list[int], line_end: str
) -> None:
    lines = [line for text in said for line in (token(text), "", ": ping")]
    data = line_end.join([*lines, DONE, ""]).encode()
    assert text_of(deltas(lines_of(cut(data, cuts)))) == "".join(said)


def cut(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    at, turn = 0, 0
    while at < len(data):
        length = lengths[turn % len(lengths)]
        yield data[at : at + length]
        at, turn = at + length, turn + 1


def test_a_line_separator_inside_a_token_is_no_line_end() -> None:
    said = "a\u2028b\x85c\x0bd"
    data = f"{token(said)}\n{DONE}\n".encode()
    assert text_of(deltas(lines_of([data]))) == said


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 2**20

    with pytest.raises(EngineError, match="a line without end"):
        list(lines_of(endless()))
