"""The engine over slots: real processes that behave as systemd, sudo and vLLM do."""

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from lib.core.errors import BadInput, Conflict, EngineDown, EngineError, NotFound
from lib.core.settings import settings
from lib.engines import all_models, find_model, present_engines
from lib.engines.base import ChatOptions, Message, Model, StartOptions, State
from lib.engines.vllm import ENGINE, answers, keys, pulse
from lib.engines.vllm.places import unit_name
from tests.support.replies import text_of
from tests.support.vllm_slots import KEY, Box
from tests.support.waiting import until

HELLO = [Message(role="user", content="hello there")]
PLAIN = ChatOptions()


def only() -> Model:
    [model] = ENGINE.models()
    return model


def seen(state: State) -> Model:
    """The only model, as soon as it stands like this."""
    until(lambda: only().state == state, f"{state}, but {only()}")
    return only()


def test_a_machine_without_slots_and_addresses_has_no_such_engine() -> None:
    assert ENGINE.models() == []
    assert ENGINE.health().is_absent
    assert "vllm" not in present_engines()


def test_a_slot_that_does_not_run_is_told_from_its_files(box: Box) -> None:
    slot = box.slot()
    model = only()
    assert (model.name, model.state, model.place) == ("tiny", State.STOPPED, f"slot {slot}")
    assert (model.size_bytes, model.quantization, model.context_trained) == (1_000, "BF16", 32_768)
    assert (model.can_chat, model.can_see, model.source) == (True, False, "org/tiny")
    assert (model.url, model.context, model.problem) == ("", None, "")
    assert model.remove_with.endswith(f"deploy_model.sh --remove {slot}")
    assert ENGINE.upstream("tiny") is None


def test_it_is_started_asked_and_stopped(box: Box) -> None:
    slot = box.slot("--loading-ms", "300")
    ENGINE.start("tiny", StartOptions())
    model = only()
    assert (model.state, model.context) == (State.READY, 4096)
    assert model.url == f"http://127.0.0.1:{8104 + slot}/v1"
    assert model.started_at is not None
    to = ENGINE.upstream("tiny")
    assert to is not None and to.key is not None
    assert (to.base_url, to.model, to.key.get_secret_value()) == (model.url, "tiny", KEY)
    box.fake(slot).behave(text="Paris is the capital.")
    assert text_of(ENGINE.chat("tiny", HELLO, PLAIN)) == "Paris is the capital. "
    assert text_of(ENGINE.complete("tiny", "Once", PLAIN)) == "Paris is the capital. "
    assert ENGINE.count("tiny", "one two three") == 3
    ENGINE.stop("tiny")
    until(lambda: only().state == State.STOPPED, "the end of the service")
    with pytest.raises(EngineDown, match="does not run"):
        next(ENGINE.chat("tiny", HELLO, PLAIN))
    assert ENGINE.count("tiny", "one") is None
    ENGINE.stop("tiny")


def test_it_is_ready_only_when_it_has_made_a_token(box: Box) -> None:
    slot = box.slot("--stuck")
    box.systemd.ctl("start", unit_name(slot))
    model = seen_note(slot, box)
    assert model.note == "Waiting for its first token."
    box.fake(slot).behave(stuck=False, told_before=1)
    assert seen(State.READY).note == ""


def seen_note(slot: int, box: Box) -> Model:
    until(lambda: "startup complete" in box.systemd.log(unit_name(slot)), "its start")
    until(lambda: only().note.startswith("Waiting"), "a first look")
    return only()


def test_while_it_loads_its_log_tells_the_stage(box: Box) -> None:
    slot = box.slot("--loading-ms", "600000")
    box.systemd.ctl("start", unit_name(slot))
    until(lambda: "1 of 4" in only().note, "the weights")
    model = only()
    assert (model.state, model.note) == (State.STARTING, "Loading the weights (1 of 4).")
    assert "Starting to load model" in Path(model.log).read_text()
    assert oct(Path(model.log).stat().st_mode)[-3:] == "600"


def test_healthy_but_stuck_is_noticed_and_start_begins_it_anew(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TOKEN_SECONDS", 0.3)
    monkeypatch.setattr(pulse, "PROVEN_SECONDS", 0.2)
    monkeypatch.setattr(pulse, "AGAIN_SECONDS", 0.1)
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(stuck=True)
    model = seen(State.FAILED)
    assert model.problem == (
        "The engine says that it is healthy, and no token comes. Start begins it anew."
    )
    assert httpx.get(f"http://127.0.0.1:{8104 + slot}/health").status_code == 200
    assert ENGINE.upstream("tiny") is None
    before = box.pid(slot)
    ENGINE.start("tiny", StartOptions())
    assert only().state == State.READY
    assert box.pid(slot) != before


def test_one_that_is_busy_with_others_is_not_taken_for_stuck(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TOKEN_SECONDS", 0.2)
    monkeypatch.setattr(pulse, "PROVEN_SECONDS", 0.1)
    monkeypatch.setattr(pulse, "AGAIN_SECONDS", 0.05)
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(stuck=True, moves=True)
    before = box.fake(slot).questions()
    until(lambda: only() and box.fake(slot).questions() > before + 2, "some questions")
    model = only()
    assert (model.state, model.problem) == (State.READY, "")


def test_an_engine_that_was_killed_comes_back_by_itself(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    before = box.pid(slot)
    os.kill(before, signal.SIGKILL)
    until(lambda: box.pid(slot) not in (0, before), "a restart")
    assert seen(State.READY)
    assert box.systemd.state(unit_name(slot))["NRestarts"] == "1"


def test_a_start_that_fails_names_the_first_true_cause(box: Box) -> None:
    box.slot("--fails", "context_too_large")
    with pytest.raises(EngineError) as failed:
        ENGINE.start("tiny", StartOptions())
    assert failed.value.message == (
        "A context of 131,072 does not fit beside the model; 41,728 does."
    )
    assert failed.value.fix == "Use a context of 41,728, or auto."
    assert seen(State.FAILED).problem == f"{failed.value.message} {failed.value.fix}"


def test_after_too_many_ends_start_works_again(box: Box) -> None:
    slot = box.slot("--fails", "disk_full")
    with pytest.raises(EngineError, match="The disk is full"):
        ENGINE.start("tiny", StartOptions())
    seen(State.FAILED)
    box.slot(slot=slot)
    ENGINE.start("tiny", StartOptions())
    assert only().state == State.READY
    calls = [call for call in box.systemd.asked() if "reset-failed" in call]
    assert len(calls) == 1


def test_a_stop_while_it_loads_ends_the_start_too(box: Box) -> None:
    slot = box.slot("--loading-ms", "600000")
    box.systemd.ctl("start", unit_name(slot))
    until(lambda: only().state == State.STARTING, "its start")
    box.systemd.later("stop", unit_name(slot))
    with pytest.raises(Conflict, match="was stopped while it was loading"):
        ENGINE.start("tiny", StartOptions())


def test_a_second_start_of_one_that_loads_waits_for_it(box: Box) -> None:
    slot = box.slot("--loading-ms", "500")
    box.systemd.ctl("start", unit_name(slot))
    before = box.pid(slot)
    ENGINE.start("tiny", StartOptions())
    assert box.pid(slot) == before


def test_another_program_on_the_port_is_not_taken_for_the_model(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(model="other")
    assert seen(State.FAILED).problem.startswith(f"Another program answers on port {8104 + slot}")


def test_a_key_that_the_engine_does_not_take_is_told(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(key="another")
    assert "does not take the key" in seen(State.FAILED).problem


def test_where_the_environment_file_is_roots_alone_the_owners_copy_has_the_key(box: Box) -> None:
    slot = box.slot()
    box.places.env_file(slot).rename(box.places.env_file(slot).with_suffix(".away"))
    copy = keys.key_copy(settings().home, slot)
    copy.parent.mkdir(parents=True)
    copy.write_text(f"{KEY}\n")
    key = keys.slot_key(slot, box.places)
    assert key is not None and key.get_secret_value() == KEY


def test_its_key_stands_in_no_log_and_no_model(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    box.systemd.say(unit_name(slot), f"odd: {KEY} was printed\n")
    os.kill(box.pid(slot), signal.SIGKILL)
    until(lambda: "odd: *** was printed" in Path(only().log).read_text(), "a copy of the log")
    assert KEY not in only().model_dump_json()


def test_removing_stops_it_for_good_and_names_what_takes_the_rest(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    with pytest.raises(EngineError) as told:
        ENGINE.remove("tiny")
    assert "starts no more with the machine" in told.value.message
    assert told.value.fix.endswith(f"deploy_model.sh --remove {slot}")
    assert box.systemd.state(unit_name(slot))["UnitFileState"] == "disabled"
    until(lambda: only().state == State.STOPPED, "the end of the service")


def test_without_rights_the_fix_is_the_command(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = box.slot()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    box.systemd.refuse()
    with pytest.raises(EngineError) as refused:
        ENGINE.start("tiny", StartOptions())
    assert refused.value.fix == (
        f"Run this in a terminal: sudo systemctl start berth-slot-{slot}.service"
    )
    box.systemd.refuse(is_refusing=False)
    ENGINE.start("tiny", StartOptions())
    box.systemd.refuse()
    with pytest.raises(EngineError, match="needs root's rights"):
        ENGINE.stop("tiny")
    assert only().state == State.READY


def test_a_log_that_may_not_be_read_is_said_once_and_hides_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = box.slot("--loading-ms", "600000")
    box.systemd.ctl("start", unit_name(slot))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    box.systemd.refuse()
    until(lambda: "may not be read" in only().note, "a first look")
    assert only().state == State.STARTING
    assert only().log == ""


def test_another_context_is_another_deployment(box: Box) -> None:
    box.slot(Context="8192")
    with pytest.raises(BadInput, match="is written in its service"):
        ENGINE.start("tiny", StartOptions(context=4096))


def test_two_slots_of_one_name_are_told_apart_and_either_answers_to_it(box: Box) -> None:
    first = box.slot()
    second = box.slot()
    assert [model.name for model in ENGINE.models()] == [
        f"tiny@slot-{second}",
        f"tiny@slot-{first}",
    ]
    ENGINE.start(f"tiny@slot-{first}", StartOptions())
    to = ENGINE.upstream("tiny")
    assert to is not None
    assert (to.base_url, to.model) == (f"http://127.0.0.1:{8104 + first}/v1", "tiny")
    with pytest.raises(NotFound):
        ENGINE.stop("tiny")


def test_it_stands_among_the_models_of_all_engines(box: Box) -> None:
    box.slot()
    assert [model.engine for model in all_models()] == ["vllm"]
    assert find_model("tiny").place.startswith("slot ")
    assert present_engines()["vllm"].version == "0.33.0"


def test_a_unit_that_cannot_be_read_and_an_old_version_are_notes_of_the_engine(box: Box) -> None:
    slot = box.slot(Vllm="0.21.0")
    broken = box.systemd.units / "berth-slot-0.service"
    broken.write_text("[X-Berth]\nSlot=9\n")
    health = ENGINE.health()
    assert health.up
    assert "berth-slot-0.service carries the mark of berth-slot-9.service." in health.note
    assert "vLLM 0.21.0 is older than 0.32.0: whoever reaches it" in health.note
    assert [model.place for model in ENGINE.models()] == [f"slot {slot}"]


def test_a_machine_whose_systemd_is_gone_says_so(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.slot()
    monkeypatch.setenv("PATH", "/nowhere")
    assert only().state == State.FAILED
    assert "There is no systemd on this machine" in only().problem
    assert not ENGINE.health().up


def test_no_page_waits_for_a_slot_that_hangs(box: Box) -> None:
    slot = box.slot()
    box.systemd.ctl("start", unit_name(slot))
    until(lambda: box.pid(slot) > 1, "its process")
    ENGINE.start("tiny", StartOptions())
    os.kill(box.pid(slot), signal.SIGSTOP)
    try:
        for _ in range(5):
            began = time.monotonic()
            ENGINE.models()
            assert time.monotonic() - began < 1.5
    finally:
        os.kill(box.pid(slot), signal.SIGCONT)
