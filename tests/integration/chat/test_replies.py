"""Replies as tasks of the server, against a fake engine."""

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from lib.chat import conversations, replies
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core.errors import BadInput, NotFound
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines.base import ChatOptions, Message
from lib.fleet import use
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.waiting import until

SECONDS = 20


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "30") as engine:
        lay_fake(settings().home, engine)
        yield engine


def asked(model: str = "fake", owner: str = "me", text: str = "Hello") -> Reply:
    message = Message(role="user", content=text)
    request = ReplyRequest(conversation="c1", owner=owner, model=model, messages=(message,))
    return replies.start(request)


def finished(reply: Reply) -> Reply:
    assert reply.wait(SECONDS)
    return reply


def forget_all() -> None:
    """As a restart of the server does."""
    replies._running.clear()


@pytest.mark.usefixtures("fake")
def test_a_reply_is_the_engines_text_with_its_figures() -> None:
    reply = finished(asked())
    assert reply.state == ReplyState.DONE
    assert reply.text.split() == [f"t{n}" for n in range(30)]
    assert reply.figures.completion_tokens == 30
    assert reply.figures.tokens_per_second == 50.0
    assert reply.figures.first_token_seconds is not None


@pytest.mark.usefixtures("fake")
def test_its_protocol_opens_blocks_in_order_and_ends_once() -> None:
    lines = [json.loads(line) for line in finished(asked()).lines]
    kinds = [kind for kind, _ in lines]
    assert kinds[0] == "s"
    assert kinds.index("b") < kinds.index("t")
    assert kinds.count("e") == 1
    assert lines[-1] == ["e", "done"]


def test_stop_ends_it_before_the_first_token_and_frees_the_engine(fake: Running) -> None:
    fake.behave(prefill_ms=60_000)
    reply = asked()
    while reply.state != ReplyState.THINKING or not fake.record():
        time.sleep(0.01)
    reply.stop()
    assert finished(reply).state == ReplyState.STOPPED
    assert fake.last_call("left")["tokens_sent"] == 0


def test_its_model_counts_as_used_until_its_end(fake: Running) -> None:
    fake.behave(prefill_ms=60_000)
    assert not use.is_busy("fake")
    reply = asked()
    until(lambda: use.is_busy("fake"), "its model is used")
    reply.stop()
    finished(reply)
    until(lambda: not use.is_busy("fake"), "it is free again")
    assert use.last_used("fake") is not None


def test_stop_keeps_what_came_and_nothing_is_added_later(fake: Running) -> None:
    fake.behave(tokens=5_000, gap_ms=5)
    reply = asked()
    while len(reply.text) < 40:
        time.sleep(0.01)
    reply.stop()
    kept = reply.text
    fake.last_call("left")
    assert reply.text == kept
    assert reply.state == ReplyState.STOPPED


def test_an_unknown_model_fails_in_words() -> None:
    reply = finished(asked(model="nobody"))
    assert reply.state == ReplyState.FAILED
    assert reply.problem is not None
    assert "nobody" in reply.problem.message
    assert reply.problem.fix


@pytest.mark.parametrize(
    "name", ["a; rm -rf /", "../../etc/passwd", "a\0b", "x" * 10_000, "\u202eabc"]
)
def test_a_hostile_model_name_fails_in_words(name: str) -> None:
    reply = finished(asked(model=name))
    assert reply.state == ReplyState.FAILED
    assert reply.problem is not None
    assert len(reply.problem.message) < 300


def test_an_engine_that_dies_leaves_the_words_before(fake: Running) -> None:
    fake.behave(die_after=10, gap_ms=5)
    reply = finished(asked())
    assert reply.state == ReplyState.FAILED
    assert reply.text.split() == [f"t{n}" for n in range(10)]


def test_nothing_to_answer_is_refused() -> None:
    with pytest.raises(BadInput):
        replies.start(ReplyRequest(conversation="c", owner="me", model="fake", messages=()))


@pytest.mark.usefixtures("fake")
def test_only_its_owner_finds_it() -> None:
    reply = finished(asked(owner="me"))
    assert replies.find(reply.id, "me") is reply
    for owner in ("", "you"):
        with pytest.raises(NotFound):
            replies.find(reply.id, owner)
        assert replies.latest("c1", owner) == []


@pytest.mark.parametrize("reply_id", ["", "../secret", "a" * 31, "/" * 32, "\0" * 32, "a" * 10_000])
def test_a_hostile_id_finds_nothing(reply_id: str) -> None:
    with pytest.raises(NotFound):
        replies.find(reply_id, "me")


@pytest.mark.usefixtures("fake")
def test_after_a_restart_it_is_read_from_its_spool() -> None:
    before = finished(asked())
    forget_all()
    after = replies.find(before.id, "me")
    assert after is not before
    assert (after.text, after.state, after.figures) == (before.text, before.state, before.figures)
    assert [found.id for found in replies.latest("c1", "me")] == [before.id]


def test_one_that_was_cut_off_is_interrupted_with_what_came(fake: Running) -> None:
    fake.behave(tokens=5_000, gap_ms=5)
    reply = asked()
    while len(reply.text) < 40:
        time.sleep(0.01)
    spool = settings().replies / f"{reply.id}.jsonl"
    cut = spool.read_bytes()
    reply.stop()
    spool.write_bytes(cut[:-3])
    forget_all()
    found = replies.find(reply.id, "me")
    assert found.state == ReplyState.INTERRUPTED
    assert found.text
    assert reply.text.startswith(found.text)


@pytest.mark.usefixtures("fake")
def test_the_spool_is_its_owners_alone() -> None:
    reply = finished(asked())
    mode = (settings().replies / f"{reply.id}.jsonl").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@trials(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_a_spool_of_garbage_is_not_found(data: bytes) -> None:
    folder = settings().replies
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{'a' * 32}.jsonl").write_bytes(data)
    with pytest.raises(NotFound):
        replies.find("a" * 32, "me")
    assert replies.latest("c1", "me") == []


@pytest.mark.usefixtures("fake")
def test_a_spool_with_garbage_inside_keeps_the_rest() -> None:
    reply = finished(asked())
    spool = settings().replies / f"{reply.id}.jsonl"
    lines = spool.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.insert(3, '{"not": "ours"}\n17\n["t", 5]\n["e"]\n["e", 1, 2, 3]\n\0\n')
    spool.write_text("".join(lines), encoding="utf-8")
    forget_all()
    assert replies.find(reply.id, "me").text == reply.text


def test_options_reach_the_engine(fake: Running) -> None:
    message = Message(role="user", content="Hi")
    options = ChatOptions(temperature=0.1, max_tokens=3, seed=7)
    finished(
        replies.start(
            ReplyRequest(
                conversation="c", owner="me", model="fake", messages=(message,), options=options
            )
        )
    )
    body = fake.record()[-1]["body"]
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.1, 3, 7)


@pytest.mark.usefixtures("fake")
def test_a_cut_reply_is_gone_on_from() -> None:
    question, part = "Count.", "One, two"
    messages = (
        Message(role="user", content=question),
        Message(role="assistant", content=part),
    )
    request = ReplyRequest(conversation="c1", owner="me", model="fake", messages=messages)
    reply = finished(replies.start(request))
    assert reply.text.startswith(part)
    assert len(reply.text) > len(part)
    forget_all()
    assert replies.find(reply.id, "me").text == reply.text


def in_json(text: str, fake: Running) -> Reply:
    fake.behave(reply=text, gap_ms=20)
    options = ChatOptions(json_schema={"type": "object"})
    message = Message(role="user", content="Where?")
    return replies.start(
        ReplyRequest(
            conversation="c1", owner="me", model="fake", messages=(message,), options=options
        )
    )


def shown(reply: Reply) -> str:
    lines = [json.loads(line) for line in reply.lines]
    return "".join(line[1] for line in lines if line[0] == "t")


def test_what_follows_a_schema_is_shown_as_code_and_kept_as_it_came(fake: Running) -> None:
    text = '{\n  "city": "Genoa",\n\n  "note": "_old_"\n}'
    reply = finished(in_json(text, fake))
    assert reply.text == text
    assert shown(reply) == f"```json\n{text}"
    assert conversations.answer(reply)["check"] == "ok"
    forget_all()
    assert shown(replies.find(reply.id, "me")) == f"```json\n{text}"


def test_json_that_was_stopped_is_told_as_unfinished(fake: Running) -> None:
    reply = in_json('{"words": "' + "on and " * 500, fake)
    while len(reply.text) < 40:
        time.sleep(0.01)
    reply.stop()
    assert conversations.answer(reply)["check"] == "It was not finished."


def test_whoever_sees_that_it_is_over_finds_its_last_line() -> None:
    """A reader in between would send all but the end, and the page would wait for ever."""

    class Lines(list[str]):
        def append(self, line: str) -> None:
            seen.append((json.loads(line)[0], reply.is_over))
            super().append(line)

    seen: list[tuple[str, bool]] = []
    message = Message(role="user", content="Hi")
    request = ReplyRequest(conversation="c1", owner="me", model="x", messages=(message,))
    reply = Reply("a" * 32, request)
    reply.lines = Lines()
    reply.stop()
    assert seen == [("e", False)]
    assert reply.is_over


def test_a_disk_that_fills_ends_the_reply_in_words_and_keeps_what_came(fake: Running) -> None:
    fake.behave(tokens=5_000, gap_ms=5)
    reply = asked()
    while len(reply.text) < 40:
        time.sleep(0.01)
    assert reply._spool
    reply._spool._file.close()
    reply._spool._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    assert finished(reply).state == ReplyState.FAILED
    assert reply.problem
    assert "Replies cannot be kept" in reply.problem.message
    assert len(reply.text) >= 40
    assert json.loads(reply.lines[-1]) == ["e", "failed"]
    reply.stop()
    assert not replies.is_answering("", "fake")
    fake.behave(tokens=5, gap_ms=0)
    assert finished(asked()).state == ReplyState.DONE


def test_a_reply_that_repeats_itself_is_ended_with_that_word(fake: Running) -> None:
    fake.behave(text="Paris, Madrid, London, Madrid. " * 600, gap_ms=1)
    reply = finished(asked())
    assert reply.state == ReplyState.STOPPED
    assert reply.figures.finish_reason == "repetition"
    assert 1_000 <= len(reply.text) < 6_000
    until(lambda: fake.record()[-1]["ended"] == "left", "the engine's end")
    forget_all()
    kept = replies.find(reply.id, "me")
    assert (kept.state, kept.text) == (ReplyState.STOPPED, reply.text)
    assert kept.figures.finish_reason == "repetition"


def test_where_that_is_switched_off_it_goes_on(fake: Running) -> None:
    change(stops_repetition=False)
    fake.behave(text="Paris, Madrid, London, Madrid. " * 100, gap_ms=0)
    reply = finished(asked())
    assert (reply.state, reply.figures.finish_reason) == (ReplyState.DONE, "stop")


def test_what_repeats_itself_and_ends_by_itself_is_whole(fake: Running) -> None:
    fake.behave(text="Paris, Madrid. " * 20, gap_ms=0)
    assert finished(asked()).state == ReplyState.DONE
