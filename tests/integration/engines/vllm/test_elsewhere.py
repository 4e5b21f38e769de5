"""Servers on other machines: real small servers at addresses from the settings."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.errors import BadInput, EngineDown, EngineError
from lib.engines.__main__ import running as what_runs_here
from lib.engines.base import ChatOptions, Message, StartOptions, State
from lib.engines.vllm import ENGINE, addresses, answers, pulse
from tests.support.fake_engine import running_fake
from tests.support.fake_server import Running
from tests.support.fake_vllm import running_vllm
from tests.support.replies import text_of
from tests.support.vllm_slots import Box
from tests.support.waiting import until

HELLO = [Message(role="user", content="hello there")]
PLAIN = ChatOptions()
SIX = ChatOptions(stop=("a", "b", "c", "d", "e"))


@pytest.fixture(scope="module")
def lab_server() -> Iterator[Running]:
    with running_vllm("--key", "k-lab", "--names", "second,odd name,third@place") as fake:
        yield fake


@pytest.fixture
def lab(lab_server: Running, box: Box) -> Running:
    """A vLLM on another machine, as `lab`; and a machine without slots."""
    addresses.add("lab", lab_server.url, "k-lab")
    return lab_server.afresh()


def names() -> list[str]:
    return [model.name for model in ENGINE.models()]


def test_its_models_stand_here_with_where_they_are(lab: Running) -> None:
    assert names() == ["tiny@lab", "second@lab"]
    model = ENGINE.models()[0]
    assert (model.state, model.place, model.is_elsewhere) == (State.READY, "lab", True)
    assert (model.context, model.source, model.url) == (4096, "tiny", f"{lab.url}/v1")
    assert ENGINE.health().up
    assert ENGINE.health().version == "0.33.0"


def test_it_is_asked_under_the_name_that_it_has_there_with_its_key(lab: Running) -> None:
    lab.behave(text="hm Paris.", reasoning=1)
    said = list(ENGINE.chat("second@lab", HELLO, PLAIN))
    assert "".join(delta.reasoning for delta in said) == "hm "
    assert text_of(iter(said)) == "Paris. "
    call = lab.record()[-1]
    assert (call["model"], call["authorization"]) == ("second", "Bearer k-lab")
    to = ENGINE.upstream("second@lab")
    assert to is not None
    assert (to.base_url, to.model) == (f"{lab.url}/v1", "second")
    assert ENGINE.upstream("second") is None
    assert ENGINE.count("tiny@lab", "one two three") == 3


def test_a_reply_is_continued_in_the_way_that_vllm_wants(lab: Running) -> None:
    turns = [*HELLO, Message(role="assistant", content="1, 2, ")]
    assert text_of(ENGINE.chat("tiny@lab", turns, PLAIN))
    body = lab.record()[-1]["body"]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert text_of(ENGINE.chat("tiny@lab", HELLO, PLAIN))
    assert "continue_final_message" not in lab.record()[-1]["body"]


def test_more_than_four_stop_texts_are_refused_before_anything_is_sent(lab: Running) -> None:
    names()
    asked = len(lab.bodies("/v1/chat/completions"))
    with pytest.raises(BadInput, match="takes at most 4 texts that end a reply"):
        next(ENGINE.chat("tiny@lab", HELLO, SIX))
    assert len(lab.bodies("/v1/chat/completions")) == asked


def test_an_engine_that_dies_in_mid_stream_is_told_in_words(lab: Running) -> None:
    lab.behave(error_after=2)
    with pytest.raises(EngineError, match="died in the middle of its reply"):
        list(ENGINE.chat("tiny@lab", HELLO, PLAIN))


@pytest.mark.parametrize("act", ["start", "stop", "remove"])
def test_it_is_not_started_stopped_or_removed_from_here(lab: Running, act: str) -> None:
    arguments = ("tiny@lab", StartOptions()) if act == "start" else ("tiny@lab",)
    with pytest.raises(EngineError) as refused:
        getattr(ENGINE, act)(*arguments)
    assert refused.value.message == "“tiny@lab” runs on another machine, lab."
    assert what_runs_here() == []


def test_a_wrong_key_is_a_note_and_no_models(lab: Running) -> None:
    lab.behave(key="changed")
    assert names() == []
    assert not ENGINE.health().up
    assert ENGINE.health().problem == "None of the slots and servers answers."
    assert "lab (127.0.0.1:" in ENGINE.health().note
    assert "does not take the key" in ENGINE.health().note
    assert "k-lab" not in str(ENGINE.health())


def test_one_that_goes_away_stays_listed_as_failed(box: Box) -> None:
    with running_vllm() as fake:
        addresses.add("lab", fake.url)
        assert names() == ["tiny@lab"]
    until(lambda: ENGINE.models()[0].state == State.FAILED, "a look")
    [model] = ENGINE.models()
    assert model.problem.startswith("lab does not answer now: Nothing answers at")
    assert ENGINE.upstream("tiny@lab") is None
    with pytest.raises(EngineDown):
        next(ENGINE.chat("tiny@lab", HELLO, PLAIN))


def test_one_that_is_healthy_and_stuck_is_noticed(
    lab: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TOKEN_SECONDS", 0.2)
    monkeypatch.setattr(pulse, "AGAIN_SECONDS", 0.1)
    lab.behave(stuck=True)
    until(lambda: ENGINE.models()[0].state == State.FAILED, "a look")
    assert ENGINE.models()[0].problem == "lab says that it is healthy, and no token comes."
    lab.behave(stuck=False)
    until(lambda: ENGINE.models()[0].state == State.READY, "a token")


def test_figures_are_one_line(lab: Running) -> None:
    lab.behave(waiting=2, kv_share=0.95)
    assert "2 waiting for memory · KV 95 %" in ENGINE.models()[0].activity


def test_another_kind_of_server_is_asked_for_no_token_and_nothing_that_only_vllm_knows(
    box: Box,
) -> None:
    with running_fake("--model", "llama", "--key", "k-2") as fake:
        addresses.add("box", f"{fake.url}/v1", "k-2")
        assert names() == ["llama@box"]
        assert fake.record() == []
        turns = [*HELLO, Message(role="assistant", content="1, 2, ")]
        assert text_of(ENGINE.chat("llama@box", turns, SIX))
        body = fake.record()[-1]["body"]
        assert "continue_final_message" not in body and len(body["stop"]) == 5
        assert ENGINE.count("llama@box", "one") is None


def test_one_name_at_two_places_is_never_confused(lab: Running, box: Box) -> None:
    slot = box.slot()
    addresses.add("other", lab.url, "k-lab")
    assert sorted(names()) == ["second@lab", "second@other", "tiny", "tiny@lab", "tiny@other"]
    lab.behave(text="from the lab")
    assert text_of(ENGINE.chat("tiny@lab", HELLO, PLAIN)) == "from the lab "
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(text="from here")
    assert text_of(ENGINE.chat("tiny", HELLO, PLAIN)) == "from here "


def test_a_machine_that_is_off_keeps_nobody_waiting(box: Box, tmp_path: Path) -> None:
    addresses.add("off", "http://10.255.255.1:8000")
    began = time.monotonic()
    assert names() == []
    assert time.monotonic() - began < 1.5
    for _ in range(20):
        names()
    assert time.monotonic() - began < 4


def test_what_does_not_list_models_is_told(box: Box) -> None:
    with running_fake() as fake:
        addresses.add("odd", f"{fake.url}/fake")
        assert names() == []
        health = ENGINE.health()
    assert not health.up
    assert health.note.endswith("does not list models as OpenAI does.")
