"""How each route of /v1 says its errors, its ends, and what is mended on the way."""

import json
from typing import Any

import pytest

from lib.api import dialects
from lib.api.numbered import Numbers
from lib.api.shield import WrongField

OPENAI = dialects.of("/chat/completions", {})
CLAUDE = dialects.of("/messages", {})
NEWER = dialects.of("/responses", {"max_output_tokens": 3})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "Unauthorized"}', "Unauthorized"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"message": "no"}', "no"),
        (b"<html>", "answered 418"),
        (b"", "answered 418"),
        (b'["a"]', "answered 418"),
        (b'{"error": {"message": 7}}', "answered 418"),
    ],
)
@pytest.mark.parametrize("dialect", [OPENAI, CLAUDE, NEWER])
def test_an_engines_error_has_a_message_in_every_dialect(
    dialect: dialects.Dialect, body: bytes, message: str
) -> None:
    told = json.loads(dialects.engine_failure(dialect, body, 418))
    assert message in told["error"]["message"]


@pytest.mark.parametrize("dialect", [OPENAI, CLAUDE, NEWER])
def test_a_template_that_refuses_is_told_in_words_not_in_its_source(
    dialect: dialects.Dialect,
) -> None:
    source = "…{{ raise_exception('Roles must alternate') }}… ^ Error: Roles must alternate"
    body = json.dumps({"error": {"code": 400, "message": source, "type": "invalid_request"}})
    told = dialects.engine_failure(dialect, body.encode(), 400).decode()
    assert "takes questions and answers in turn alone" in told
    assert "Send neighbouring messages of one role as one." in told
    assert "raise_exception" not in told


def test_an_engines_error_that_is_right_goes_through_as_it_is() -> None:
    body = b'{"error": {"message": "too long", "type": "exceed", "n_ctx": 5}}'
    assert dialects.engine_failure(OPENAI, body, 400) == body
    told = json.loads(dialects.engine_failure(CLAUDE, body, 400))
    assert told["type"] == "error"
    assert (told["error"]["message"], told["error"]["code"]) == ("too long", "exceed")
    assert told["error"]["type"] == "invalid_request_error"


def test_our_own_errors_name_the_field_in_every_dialect() -> None:
    for dialect in (OPENAI, CLAUDE, NEWER):
        told = json.loads(dialects.failure(dialect, WrongField("Wrong.", "Mend it.", "n")))
        assert told["error"]["param"] == "n"
        assert told["error"]["message"].startswith("Wrong.")


FINISHED = b'data: {"choices": [{"finish_reason": "stop"}]}\n\n'
QUOTED = rb'data: {"choices": [{"delta": {"content": "\"finish_reason\": \"stop\""}}]}' + b"\n\n"


@pytest.mark.parametrize(
    ("tail", "is_whole"),
    [(FINISHED, True), (QUOTED, False), (b'data: {"finish_reason": null}\n\n', False), (b"", False),
     (FINISHED + b'data: {"error": {"message": "x"}}\n\n', False)],
)  # fmt: skip
def test_a_reply_is_whole_with_its_finish_reason_alone(tail: bytes, is_whole: bool) -> None:
    assert dialects.is_whole(OPENAI, tail) == is_whole
    assert not dialects.is_whole(CLAUDE, tail)
    assert not dialects.is_whole(dialects.of("/chat/completions", {"n": 2}), tail)


@pytest.mark.parametrize(
    ("tail", "tells"),
    [
        (b'data: {"error": {"message": "x"}}\n\n', True),
        (b'data: {}\n\ndata: {"error":{"code":500}}\n\ndata: [DONE]\n\n', True),
        (b'event: error\ndata: {"type": "error", "error": {}}\n\n', True),
        (rb'data: {"delta": {"content": "\ndata: {\"error\": {"}}' + b"\n\n", False),
        (b'data: {"delta": {"error": "none"}}\n\n', False),
    ],
)
def test_an_error_in_a_stream_is_told_from_a_text_about_one(tail: bytes, tells: bool) -> None:
    assert dialects.tells_error(tail) == tells


def event(name: str, **data: Any) -> bytes:
    text = json.dumps({"type": name, **data}, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()


def test_a_cut_reply_is_incomplete_and_a_shorter_one_is_not() -> None:
    for written, kind in ((3, "response.incomplete"), (2, "response.completed")):
        reply = {"status": "completed", "usage": {"output_tokens": written}}
        lines = dialects.mended_lines(NEWER, event("response.completed", response=reply))
        assert lines.startswith(f"event: {kind}\n".encode())
        assert json.loads(lines.split(b"data: ")[1])["type"] == kind
        assert dialects.ends_in(NEWER, lines)


@pytest.mark.parametrize("reply", [{}, {"usage": None}, {"usage": {"output_tokens": "3"}}, 7, None])
def test_a_reply_of_another_shape_goes_through_as_it_is(reply: Any) -> None:
    lines = event("response.completed", response=reply, completed="completed")
    assert dialects.mended_lines(NEWER, lines) == lines
    body = b'{"status": "completed"'
    assert dialects.mended_whole(NEWER, body) == body


def test_events_get_their_numbers_and_places_once() -> None:
    numbers = Numbers()
    names = ["response.created", "response.output_item.added", "response.output_text.delta",
             "response.output_item.added", "response.function_call_arguments.delta"]  # fmt: skip
    begun = {"response": {"status": "in_progress"}}
    made = numbers.put_in(b"".join(event(name, **begun) for name in names))
    told = [json.loads(line[6:]) for line in made.split(b"\n") if line.startswith(b"data: ")]
    assert [one["sequence_number"] for one in told] == [0, 1, 2, 3, 4]
    assert [one.get("output_index") for one in told] == [None, 0, 0, 1, 1]
    assert [one.get("content_index") for one in told] == [None, None, 0, None, None]
    assert told[0]["response"]["output"] == []
    assert numbers.put_in(made) == made
