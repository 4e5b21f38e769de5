"""What servers of the `/v1` dialect say when they refuse, in words; recorded from vLLM 0.32."""

import json

import pytest

from lib.core.errors import EngineError, TooLong
from lib.core.http import Refused
from lib.engines.openai_api import deltas, explained

LIMIT = "This model's maximum context length is 512 tokens. However, your prompt contains "
TOO_FAR = "18050 characters (more than 6144 characters, which is the upper bound for 512 input"
JUST = "at least 513 input tokens, which exceeds this limit even without any output tokens."
MISSING = "The model `nix` does not exist. Valid aliases: tiny, other/name."


def refusal(message: str, status: int = 400) -> EngineError:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return explained(Refused(status, json.dumps({"error": error})))


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (f"{LIMIT}{TOO_FAR} tokens).", "18,050 characters, too many for its tokens"),
        (LIMIT + JUST, "at least 513 tokens"),
        (
            "This model's maximum context length is 512 tokens. However, you requested 600 tokens"
            " (500 in the messages, 100 in the completion).",
            "600 tokens",
        ),
    ],
    ids=["far too long", "a little too long", "with the reply"],
)
def test_a_conversation_that_is_too_long_is_told_as_exactly_as_the_engine_does(
    said: str, has: str
) -> None:
    error = refusal(said)
    assert isinstance(error, TooLong)
    assert error.message == (
        f"The conversation has {has}, and this model was started with a context of 512."
    )


def test_a_key_that_is_refused_is_a_sentence_although_the_body_has_none() -> None:
    error = explained(Refused(401, '{"error":"Unauthorized"}'))
    assert error.message == "The engine does not take the key that Berth has for it."


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (MISSING, "The engine has no model “nix”."),
        (
            "max_tokens=5000 cannot be greater than max_model_len=512. Please request fewer"
            " output tokens. (parameter=max_tokens, value=5000)",
            "A reply of 5000 tokens is more than the model's whole context of 512.",
        ),
        ("tiny is not a multimodal model", "This model cannot see images."),
        (
            "Unable to generate parser for this template. Automatic parser generation failed: "
            "While executing CallExpression at line 1, column 92 in source: raise_exception("
            "'Conversation roles must alternate user/assistant/user/assistant/...')",
            "This model's template takes questions and answers in turn alone, a question first.",
        ),
        ("System role not supported", "This model's template takes no system prompt."),
        (
            "Assistant response prefill is incompatible with enable_thinking.",
            "This engine cannot go on from an answer that has begun: what there is stays.",
        ),
        (
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser',
            'The engine refused: "auto" tool choice requires --enable-auto-tool-choice and'
            " --tool-call-parser.",
        ),
    ],
)
def test_what_is_refused_is_told_in_words(said: str, message: str) -> None:
    assert refusal(said).message == message


def test_an_engine_that_dies_in_mid_stream_says_so_before_it_goes() -> None:
    event = {
        "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    }
    lines = [
        'data: {"choices":[{"index":0,"delta":{"content":"Par"},"finish_reason":null}]}',
        "",
        f"data: {json.dumps({'error': event})}",
        "",
        "data: [DONE]",
    ]
    said = deltas(lines)
    assert next(said).text == "Par"
    with pytest.raises(EngineError) as died:
        next(said)
    assert died.value.message == "The engine died in the middle of its reply."
    assert died.value.fix == "It starts again by itself; ask then."


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thoughts_are_told_under_either_name(field: str) -> None:
    line = {"choices": [{"delta": {field: "hm"}}]}
    first = next(deltas([f"data: {json.dumps(line)}"]))
    assert (first.text, first.reasoning) == ("", "hm")


def test_thoughts_of_another_shape_break_no_reply() -> None:
    line = {"choices": [{"delta": {"content": "Paris", "reasoning": {"effort": "low"}}}]}
    first = next(deltas([f"data: {json.dumps(line)}"]))
    assert (first.text, first.reasoning) == ("Paris", "")
