"""What a client is told while an engine reads its prompt, and what comes too late for a status."""

import json

import httpx
import openai
import pytest

from tests.support.fake_engine import Running
from tests.support.gateway import HELLO, post
from tests.support.server import Server
from tests.support.slow_start import Asking
from tests.support.waiting import until

STREAM = {**HELLO, "stream": True}
SLOW = {"prefill_ms": 1_500, "tokens": 3}


def test_a_quick_answer_has_no_comments(server: Server, fake: Running) -> None:
    lines = Asking(server, STREAM).told().lines
    assert [line for line in lines if line.startswith(":")] == []


@pytest.mark.parametrize("at_once", [False, True])
def test_how_far_the_prompt_is_read_is_told_where_the_engine_tells(
    server: Server, fake: Running, at_once: bool
) -> None:
    fake.behave(**SLOW, read=512, to_read=4_096, headers_at_once=at_once)
    told = Asking(server, STREAM).told()
    fake.behave(read=0, to_read=0, headers_at_once=False)
    assert told.comments == [": reading the prompt 512 of 4096"]
    assert told.lines[-2] == "data: [DONE]"


def test_else_it_is_told_that_it_is_read(server: Server, fake: Running) -> None:
    fake.behave(**SLOW)
    assert Asking(server, STREAM).told().comments == [": reading the prompt"]


def test_what_was_left_out_is_told_in_a_comment_where_the_header_has_gone(
    server: Server, fake: Running
) -> None:
    fake.behave(**SLOW)
    told = Asking(server, {**STREAM, "user": "me"}).told()
    assert told.comments == [": reading the prompt", ": berth-ignored: user"]


def test_what_the_engine_refuses_late_reaches_the_client_as_an_error(
    server: Server, fake: Running, client: openai.OpenAI
) -> None:
    fake.behave(gap_ms=1_500, tokens=1)
    assert post(server, HELLO).status_code == 200  # no stream: only a wait
    fake.behave(gap_ms=0, **SLOW, die_after=-1, error_after=0)
    with pytest.raises(openai.APIError, match="ordered by the test"):
        list(client.chat.completions.create(**STREAM))


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_the_other_dialects_are_told_as_well(server: Server, fake: Running, path: str) -> None:
    fake.behave(**SLOW)
    asked = {"/v1/responses": {"input": "Hello"}}.get(path, {**HELLO, "max_tokens": 9})
    told = Asking(server, {**asked, "model": "fake", "stream": True}, path).told()
    assert told.comments == [": reading the prompt"]
    assert told.events[-1]["type"] in ("response.completed", "message_stop")


def test_stopping_the_server_ends_a_wait_with_words(server: Server, fake: Running) -> None:
    fake.behave(prefill_ms=30_000)
    asking = Asking(server, STREAM)
    until(lambda: asking.comments, "a comment")
    httpx.get(f"{server.url}/api/health").raise_for_status()
    server.process.terminate()
    told = asking.told()
    assert told.lines[-1] == "broken off"
    assert json.dumps(told.events).count("Berth is stopping.") == 1
    assert "Traceback" not in server.output
