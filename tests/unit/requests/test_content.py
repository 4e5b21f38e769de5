"""What was said is kept only where the owner wants it: cut, without secrets, for a few days."""

import json
import time
from typing import Any

import pytest

from lib.core import access, database
from lib.core.access import Role, acting
from lib.core.preferences import change
from lib.requests import content, log, running
from lib.requests.content import KEPT_DAYS, LONGEST, Said
from tests.support.expect import expect_failure
from tests.support.requests import NOON, entry, noted

CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "image_url"}]},
    ]
}


@pytest.fixture
def wanted() -> None:
    content.choose(True)


def said(asked: str = "Hello", answer: bytes = b'{"content": "Hi"}', **more: Any) -> log.Entry:
    return entry(**{"said": Said(asked, answer), "at": time.time(), **more})


def rows() -> int:
    with database.opened(content.SCHEMA) as file:
        return int(file.execute("SELECT count(*) FROM requests_said").fetchone()[0])


def test_it_is_off_and_nothing_is_kept() -> None:
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        doing.says(CHAT)
        assert not doing.keeps
    noted(said())  # it was switched off meanwhile
    assert (content.is_wanted(), rows()) == (False, 0)


@pytest.mark.usefixtures("wanted")
def test_what_was_asked_and_answered_is_kept() -> None:
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        doing.says(CHAT)
        assert doing.keeps
    log.settle()
    assert content.of(doing.id) == ("system: Be brief.\nuser: Hello", "")


STREAMS: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"choices": [{"delta": {"content": "Hel"}}]},
        {"choices": [{"delta": {"content": "lo"}}]},
    ],
    "completions": [{"choices": [{"text": "Hel"}]}, {"choices": [{"text": "lo"}]}],
    "messages": [
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    ],
    "responses": [
        {"type": "response.output_text.delta", "delta": "Hel"},
        {"type": "response.output_text.delta", "delta": "lo"},
        {"type": "response.output_text.done", "text": "Hello"},
        {"type": "response.completed", "response": {"output": [{"content": [{"text": "Hello"}]}]}},
    ],
}
WHOLE = {
    "chat": {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]},
    "completions": {"choices": [{"text": "Hello"}]},
    "messages": {"content": [{"type": "text", "text": "Hello"}]},
    "responses": {"output": [{"content": [{"type": "output_text", "text": "Hello"}]}]},
}


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("dialect", STREAMS)
def test_a_stream_is_put_together(dialect: str) -> None:
    lines = [b"event: x\ndata: " + json.dumps(one).encode() for one in STREAMS[dialect]]
    noted(said(answer=b"\n\n".join([b": a comment", *lines, b"data: [DONE]", b'data: {"cu'])))
    assert content.of("a-1") == ("Hello", "Hello")


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("dialect", WHOLE)
def test_an_answer_that_came_at_once_is_read(dialect: str) -> None:
    noted(said(answer=json.dumps(WHOLE[dialect]).encode()))
    assert content.of("a-1") == ("Hello", "Hello")


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("answer", [b"", b"\xff\xfe", b"[" * 100_000, b'{"choices": 5}', b"<html>"])
def test_an_answer_that_cannot_be_read_says_nothing(answer: bytes) -> None:
    noted(said(answer=answer))
    assert content.of("a-1") == ("Hello", "")


@pytest.mark.usefixtures("wanted")
def test_secrets_are_taken_out_before_it_is_cut() -> None:
    token = "hf_" + "x" * 40
    answer = json.dumps({"content": f"It is {token} " + "y" * 9_000}).encode()
    noted(said(asked=f"{token} " + "z" * (LONGEST - 20), answer=answer))
    kept = content.of("a-1")
    assert kept
    assert "xx" not in kept.asked + kept.answered
    assert len(kept.asked) <= LONGEST + 1
    assert len(kept.answered) == LONGEST + 1


def test_the_end_of_a_long_question_is_what_counts() -> None:
    long = {
        "messages": [{"role": "user", "content": "a" * 100_000}, {"role": "user", "content": "end"}]
    }
    assert content.asked(long).endswith("user: end")
    assert len(content.asked(long)) < 10_000


@pytest.mark.usefixtures("wanted")
def test_it_goes_after_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOON)
    noted(said(id="old"))
    monkeypatch.setattr(time, "time", lambda: NOON + KEPT_DAYS * 86_400 + 1)
    noted(said(id="new", at=time.time()))
    assert (content.of("old"), rows()) == (None, 1)
    assert len(log.page(log.Filter())) == 2


@pytest.mark.usefixtures("wanted")
def test_so_many_are_kept_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_KEPT", 5)
    now = time.time()
    noted(*(said(id=str(number), at=now + number) for number in range(9)))
    assert rows() == 5


@pytest.mark.usefixtures("wanted")
def test_when_it_is_switched_off_what_was_kept_is_gone_from_the_disk() -> None:
    noted(said(asked="a most peculiar sentence", at=time.time()))
    assert b"most peculiar" in database.path().read_bytes()
    content.choose(False)
    assert (rows(), content.is_wanted()) == (0, False)
    assert b"most peculiar" not in database.path().read_bytes()


def test_a_guest_reads_and_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    change(keeps_requests_text=True)
    monkeypatch.setattr(access, "_process", None)
    with acting(Role.GUEST, "g"):
        for act in (lambda: content.of("a-1"), content.forget, lambda: content.choose(False)):
            expect_failure("forbidden", act)
    assert content.is_wanted()
