"""The chat with a slot's model and with one on another machine, alone and side by side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.chat import compare, replies
from lib.chat.conversations import new_id
from lib.chat.reply import Reply, ReplyRequest, ReplyState
from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines.base import Message, StartOptions, State
from lib.engines.vllm import ENGINE, addresses, watch
from lib.fleet import ledger
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.fake_server import Running
from tests.support.fake_vllm import running_vllm
from tests.support.vllm_slots import Box, boxed

SECONDS = 30


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.1)
    compare._loaded.clear()
    yield from boxed(tmp_path, monkeypatch)


@pytest.fixture
def lab(box: Box) -> Iterator[Running]:
    with running_vllm("--key", "k-lab", "--text", "from the lab") as fake:
        addresses.add("lab", fake.url, "k-lab")
        yield fake


def request(model: str, engine: str = "vllm", text: str = "Hello", **more: object) -> ReplyRequest:
    message = Message(role="user", content=text)
    fields = {"conversation": "c1", "owner": "me", "model": model, "engine": engine}
    return ReplyRequest.model_validate({**fields, "messages": (message,), **more})


def finished(reply: Reply) -> Reply:
    assert reply.wait(SECONDS)
    return reply


def test_a_slots_model_that_does_not_run_is_started_by_the_first_message(box: Box) -> None:
    box.slot()
    reply = finished(replies.start(request("tiny")))
    assert reply.state == ReplyState.DONE
    assert reply.text.split()[:2] == ["t0", "t1"]
    assert reply.figures.completion_tokens == 20
    assert ENGINE.models()[0].state == State.READY


def test_thoughts_and_an_engine_that_dies_are_told_in_the_reply(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(reasoning=3, error_after=6)
    reply = finished(replies.start(request("tiny")))
    assert reply.state == ReplyState.FAILED
    assert reply.problem is not None
    assert reply.problem.message == "The engine died in the middle of its reply."
    assert '["r", "t0 "]\n' in reply.lines and reply.text == "t3 t4 t5 "


def test_models_of_all_kinds_answer_side_by_side(box: Box, lab: Running) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(text="from the slot")
    with running_fake("--text", "from the processor") as fake:
        lay_fake(settings().home, fake)
        round_id = new_id()
        asked = [("tiny", "vllm"), ("tiny@lab", "vllm"), ("fake", "llamacpp")]
        found = compare.start(
            [
                request(model, engine, round=round_id, lane=lane)
                for lane, (model, engine) in enumerate(asked, start=1)
            ],
            lambda: 1,  # byte of memory: what is on a card or elsewhere takes none of it
        )
        texts = [finished(reply).text.strip() for reply in found]
    assert texts == ["from the slot", "from the lab", "from the processor"]
    assert compare._loaded == set()


def test_a_slot_that_sleeps_is_no_burden_for_the_memory(box: Box) -> None:
    box.slot()
    [model] = ENGINE.models()
    assert ledger.needed_bytes(model, StartOptions()) == 0


def test_guests_do_not_ask_another_machine_unless_the_owner_names_it(lab: Running) -> None:
    with acting(Role.GUEST, "guest-1"):
        reply = finished(replies.start(request("tiny@lab", owner="guest-1")))
    assert reply.problem is not None
    assert reply.problem.message == "The model “tiny@lab” is not for guests."
    assert lab.bodies("/v1/chat/completions") == []
