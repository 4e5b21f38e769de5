"""Replies of the chat page among the requests: seen, stopped by the owner, logged without words."""

from collections.abc import Iterator

import pytest

from lib.chat import replies
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core import database
from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines.base import Message
from lib.fleet import served
from lib.requests import content, log, running
from lib.requests.log import Outcome
from lib.requests.running import State
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.requests import found
from tests.support.waiting import until


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "30") as engine:
        lay_fake(settings().home, engine)
        yield engine


def asked(text: str = "Hello") -> Reply:
    message = Message(role="user", content=text)
    return replies.start(
        ReplyRequest(conversation="c1", owner="me", model="fake", messages=(message,))
    )


def ended(reply: Reply) -> log.Row:
    assert reply.wait(20)
    until(lambda: not running.every(), "it is over")
    log.settle()
    return found()[0]


@pytest.mark.usefixtures("fake")
def test_a_reply_is_logged_with_its_figures() -> None:
    row = ended(asked())
    assert (row.outcome, row.reply, row.prompt) == (Outcome.DONE, 30, 1)
    assert (row.route, row.who, row.key, row.model) == ("chat", "", "", "fake")
    assert row.first is not None


def test_the_owner_sees_it_and_ends_it(fake: Running) -> None:
    fake.behave(tokens=4_000, gap_ms=20)
    with acting(Role.GUEST, "g"):
        reply = asked()
    seen = until(lambda: [o for o in running.every() if o.state == State.ANSWERING], "it answers")
    assert (seen[0].who, seen[0].route) == ("guest", "chat")
    running.stop(seen[0].id)
    row = ended(reply)
    assert reply.state == ReplyState.STOPPED
    assert (row.outcome, row.who) == (Outcome.STOPPED, "guest")
    fake.last_call("left")


@pytest.mark.usefixtures("fake")
def test_a_program_that_asks_over_the_api_is_told_apart_from_the_page() -> None:
    message = Message(role="user", content="Hello")
    request = ReplyRequest(conversation="c1", owner="me", model="fake", messages=(message,))
    row = ended(replies.start(request, who=served.PROGRAM))
    assert (row.route, row.who) == ("/api/chat", served.PROGRAM)


def test_who_asked_may_end_it_too(fake: Running) -> None:
    fake.behave(tokens=4_000, gap_ms=20)
    reply = asked()
    until(lambda: reply.state == ReplyState.STREAMING, "it answers")
    reply.stop()
    assert ended(reply).outcome == Outcome.LEFT


def test_a_reply_that_fails_is_logged_with_its_error() -> None:
    row = ended(asked())
    assert (row.outcome, row.code) == (Outcome.FAILED, "not_found")


@pytest.mark.usefixtures("fake")
def test_no_word_of_a_chat_is_kept_whatever_is_switched_on() -> None:
    content.choose(True)
    ended(asked("a most peculiar sentence"))
    assert b"peculiar" not in database.path().read_bytes()
