"""Questions that come while their page does not run, against a fake engine."""

import secrets
import threading
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from lib.chat import attachments, replies, spools, standing
from lib.chat.conversations import Turn, said
from lib.chat.reply import Reply
from lib.chat.standing import Question, Standing, Unknown
from lib.core.errors import NoSpace
from lib.core.settings import settings
from lib.engines import find_model
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake

TALK, ME, SECONDS = "c" * 32, "a" * 32, 20


@pytest.fixture(autouse=True)
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "5") as engine:
        lay_fake(settings().home, engine)
        yield engine


@pytest.fixture
def token() -> str:
    return secrets.token_hex(16)


def stands(turns: list[Turn] | None = None, owner: str = ME, **settings: object) -> Standing:
    return standing.of(TALK, owner, find_model("fake"), settings, turns or [])


def question(text: str = "Hello", owner: str = ME, **more: object) -> Question:
    fields = {"id": secrets.token_hex(16), "conversation": TALK, "owner": owner, "text": text}
    return Question.model_validate({**fields, **more})


def finished(reply: Reply | None) -> Reply:
    assert reply
    assert reply.wait(SECONDS)
    return reply


def spoken(fake: Running) -> list[list[str]]:
    return [[m["content"] for m in call["body"]["messages"]] for call in fake.record()]


def test_a_question_follows_what_was_said(token: str, fake: Running) -> None:
    first = said("user", "One")
    second = said("assistant", "Two", parent=first["id"])
    standing.offer(token, stands([first, second], system="Be brief", temperature=0.5))
    asked = question("Three")
    reply = finished(standing.ask(token, asked))
    assert spoken(fake) == [["Be brief", "One", "Two", "Three"]]
    assert fake.record()[0]["body"]["temperature"] == 0.5
    assert reply.request.turns == (first["id"], second["id"], asked.id)
    (taken,) = standing.take(token, TALK)
    assert taken.reply is reply
    assert (taken.question["id"], taken.question["parent"]) == (asked.id, second["id"])
    assert taken.question["content"] == "Three"
    assert standing.take(token, TALK) == []


def test_it_follows_also_what_nobody_is_told_of(token: str, fake: Running) -> None:
    """A failed reply without a word is in the conversation, and not in what the model gets."""
    first = said("user", "One")
    failed = said("assistant", "", parent=first["id"])
    standing.offer(token, stands([first, failed]))
    finished(standing.ask(token, question("Two")))
    assert standing.take(token, TALK)[0].question["parent"] == failed["id"]
    assert spoken(fake)[0][-1].endswith("Two")


def test_sent_twice_it_is_asked_once(token: str, fake: Running) -> None:
    standing.offer(token, stands())
    asked = question()
    reply = finished(standing.ask(token, asked))
    standing.offer(token, stands())
    assert standing.ask(token, asked) is None
    assert standing.ask(token, asked.model_copy(update={"is_again": True})) is None
    assert len(fake.record()) == 1
    assert [one.reply for one in standing.take(token, TALK)] == [reply]


def test_sent_by_two_connections_at_once_it_is_asked_once(token: str, fake: Running) -> None:
    standing.offer(token, stands())
    asked, begun = question(), []
    tries = [
        threading.Thread(target=lambda: begun.append(standing.ask(token, asked))) for _ in range(8)
    ]
    for one in tries:
        one.start()
    for one in tries:
        one.join()
    (reply,) = [one for one in begun if one]
    finished(reply)
    assert len(fake.record()) == 1


def test_sent_again_after_a_restart_it_is_known_from_the_disk(token: str, fake: Running) -> None:
    standing.offer(token, stands())
    asked = question()
    finished(standing.ask(token, asked))
    standing._known.clear()
    replies._running.clear()
    standing.offer(token, stands())
    assert standing.ask(token, asked.model_copy(update={"is_again": True})) is None
    assert len(fake.record()) == 1


def test_a_page_stands_for_one_question(token: str) -> None:
    standing.offer(token, stands())
    finished(standing.ask(token, question()))
    with pytest.raises(Unknown):
        standing.ask(token, question("Another"))


@pytest.mark.parametrize("wrong", ["token", "conversation", "owner", "withdrawn", "left"])
def test_nothing_is_asked_where_the_page_does_not_stand_so(
    token: str, wrong: str, fake: Running
) -> None:
    standing.offer(token, stands())
    asked = question()
    if wrong == "withdrawn":
        standing.withdraw(token)
    elif wrong == "left":
        standing.leave(TALK, ME)
    elif wrong != "token":
        asked = asked.model_copy(update={wrong: "f" * 32})
    with pytest.raises(Unknown):
        standing.ask("0" * 32 if wrong == "token" else token, asked)
    assert fake.record() == []
    assert spools.newest(TALK, ME) == []


@pytest.mark.parametrize(
    "field", [{"id": "x"}, {"id": "F" * 32}, {"text": ""}, {"text": "x" * 2_000_001}]
)
def test_a_hostile_question_is_none(field: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        question(**field)


def attach(name: str) -> None:
    attachments.add(ME, TALK, name, b"what it says", lambda _: None)


def test_what_is_attached_goes_with_it(token: str, fake: Running) -> None:
    attach("note.txt")
    standing.offer(token, stands())
    reply = finished(standing.ask(token, question("Read it")))
    assert "what it says" in spoken(fake)[0][0]
    assert attachments.drafts(ME, TALK) == []
    kept = standing.question_of(reply.id)
    assert kept
    assert [file["name"] for file in kept["files"]] == ["note.txt"]
    assert kept["content"] == "Read it"


def test_what_is_attached_stays_where_the_reply_cannot_begin(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NoSpace("The disk is full.", "Free some space.")

    attach("note.txt")
    standing.offer(token, stands())
    asked = question("Read it")
    with monkeypatch.context() as disk:
        disk.setattr(spools, "make_private", full)
        with pytest.raises(NoSpace):
            standing.ask(token, asked)
    assert [draft.name for draft in attachments.drafts(ME, TALK)] == ["note.txt"]
    assert standing.take(token, TALK) == []
    finished(standing.ask(token, asked))
    assert attachments.drafts(ME, TALK) == []


def test_what_another_conversation_asked_waits_for_it(token: str) -> None:
    standing.offer(token, stands())
    reply = finished(standing.ask(token, question()))
    assert standing.take(token, "d" * 32) == []
    assert [one.reply for one in standing.take(token, TALK)] == [reply]


def test_only_so_many_pages_are_remembered() -> None:
    tokens = [secrets.token_hex(16) for _ in range(standing.PAGES + 1)]
    for one in tokens:
        standing.offer(one, stands())
    assert tokens[0] not in standing._standing
    assert tokens[-1] in standing._standing
