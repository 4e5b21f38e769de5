"""Each reply of the chat is counted once, whoever asked for it and however it ended."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.chat import replies
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines.base import Message
from lib.fleet import served
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.served import Served, served_in
from tests.support.waiting import until

SECONDS = 20
MINE = ("llamacpp", "fake", "")


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "30") as engine:
        lay_fake(settings().home, engine)
        yield engine


def asked(lane: int = 0, model: str = "fake") -> Reply:
    message = Message(role="user", content="Hello there")
    request = ReplyRequest(
        conversation="c1", owner="me", model=model, messages=(message,), lane=lane
    )
    return replies.start(request)


def kept(*ended: Reply) -> dict[tuple[str, str, str], Served]:
    for reply in ended:
        assert reply.wait(SECONDS)
    served.settle()
    return served_in(settings().home)


def test_a_whole_reply_counts_with_its_speed(home: Path, fake: Running) -> None:
    assert kept(asked()) == {MINE: Served(1, 2, 30)}
    assert served.last_speed("llamacpp", "fake") == 50.0


def test_replies_that_are_compared_count_one_by_one(home: Path, fake: Running) -> None:
    assert kept(asked(0), asked(1), asked(2)) == {MINE: Served(3, 6, 90)}


def test_a_guests_reply_is_a_guests_even_where_the_owner_ends_it(home: Path, fake: Running) -> None:
    fake.behave(hold_after=4)
    with acting(Role.GUEST, "someone"):
        reply = asked()
    until(lambda: "t3" in reply.text)
    reply.stop()
    assert kept(reply) == {("llamacpp", "fake", "guest"): Served(1, 0, 4)}


def test_a_reply_that_is_stopped_before_its_first_token_counts_nothing(
    home: Path, fake: Running
) -> None:
    fake.behave(prefill_ms=5_000)
    reply = asked()
    until(lambda: fake.record())
    reply.stop()
    assert kept(reply) == {}


def test_a_reply_that_the_engine_breaks_off_counts_what_came(home: Path, fake: Running) -> None:
    fake.behave(cut_after=5)
    reply = asked()
    assert kept(reply) == {MINE: Served(1, 0, 5)}
    assert reply.state == ReplyState.FAILED


def test_a_reply_that_is_refused_counts_nothing(home: Path, fake: Running) -> None:
    fake.behave(status=500)
    assert kept(asked()) == {}
    assert kept(asked(model="nobody")) == {}


def test_a_reply_that_is_read_again_from_the_disk_is_not_counted_again(
    home: Path, fake: Running
) -> None:
    reply = asked()
    kept(reply)
    replies._running.clear()
    assert replies.find(reply.id, "me").text == reply.text
    assert kept() == {MINE: Served(1, 2, 30)}
