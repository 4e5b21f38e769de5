"""Models that give way, stay and are stopped: with real children of the built-in engine."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import activity, preferences
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.errors import BerthError, Conflict, Forbidden
from lib.engines import find_model, room, variants
from lib.engines.base import ChatOptions, Message, Model, StartOptions, State
from lib.engines.llamacpp import ENGINE, records
from lib.fleet import actions, ledger, removals, rules, use
from lib.fleet.comeback import Comeback
from lib.fleet.hours import Hours
from lib.fleet.idle import MINUTE, Idle
from lib.fleet.ledger import NoRoom
from lib.fleet.rules import Rule
from tests.conftest import ROOT
from tests.support.llamacpp import child_of
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

SMALL = StartOptions(context=256, threads=1, prompt_cache_mib=0)
MODELS = ROOT / "pages/2_Models.py"


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


@pytest.fixture
def two(models: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two models, and memory for one of them: of the first one's, all comes back."""
    for name in ("first", "second"):
        write_tiny(models / f"{name}.gguf")
    needed = ledger.needed_bytes(find_model("second"), SMALL)

    def free() -> int:
        return round(1.5 * needed) if find_model("first").state == State.STOPPED else needed // 2

    monkeypatch.setattr("lib.machine.sampler.memory_available_bytes", free)
    monkeypatch.setattr(room, "given_back", lambda model: needed)
    monkeypatch.setattr(room, "pages_in_use", lambda model: 0)
    return "first", "second"


def state(name: str) -> State:
    return find_model(name).state


def test_a_load_that_has_no_room_stops_nobody_by_itself(two: tuple[str, str]) -> None:
    first, second = (find_model(name) for name in two)
    actions.start(first, SMALL)
    with pytest.raises(NoRoom) as refused:
        actions.start(second, SMALL)
    assert refused.value.would_go == ("first",)
    assert (state("first"), state("second")) == (State.READY, State.STOPPED)


def test_what_was_named_gives_way(two: tuple[str, str]) -> None:
    first, second = (find_model(name) for name in two)
    actions.start(first, SMALL)
    actions.start(second, SMALL, instead_of=["first"])
    assert (state("first"), state("second")) == (State.STOPPED, State.READY)
    assert [(event.kind, event.subject, event.detail) for event in activity.recent()] == [
        (Kind.STARTED, "second", ""),
        (Kind.STOPPED, "first", "to make room for second"),
        (Kind.STARTED, "first", ""),
    ]


def test_for_a_program_nobody_gives_way_unless_the_owner_says_so(two: tuple[str, str]) -> None:
    first, second = (find_model(name) for name in two)
    variants.save(second.key, "small", SMALL)
    actions.start(first, SMALL)
    with pytest.raises(NoRoom):
        actions.load_on_demand(second)
    preferences.change(makes_room_on_demand=True)
    with use.using("first"), pytest.raises(NoRoom):
        actions.load_on_demand(second)
    assert state("first") == State.READY
    actions.load_on_demand(second)
    assert (state("first"), state("second")) == (State.STOPPED, State.READY)
    assert [(event.kind, event.detail) for event in activity.recent(2)] == [
        (Kind.STARTED, "a program asked for it"),
        (Kind.STOPPED, "to make room for second"),
    ]


def test_what_gave_way_for_a_program_comes_back_where_its_load_fails(
    two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (find_model(name) for name in two)
    variants.save(second.key, "small", SMALL)
    preferences.change(makes_room_on_demand=True)
    actions.start(first, SMALL)
    start = ENGINE.start

    def failing(model: str, options: StartOptions) -> None:
        if model == "second":
            raise BerthError("The file is broken.", "Take another.")
        start(model, options)

    monkeypatch.setattr(ENGINE, "start", failing)
    with pytest.raises(BerthError, match="broken"):
        actions.load_on_demand(second)
    assert state("first") == State.READY


def test_a_program_with_a_key_has_a_model_started_and_starts_none_itself(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    with acting(Role.PROGRAM, "k1"):
        with pytest.raises(Forbidden, match="Only the owner"):
            actions.start(find_model("tiny"), SMALL)
        actions.load_on_demand(find_model("tiny"), key="k1")
    assert state("tiny") == State.READY


def test_a_guest_never_starts_a_model_through_a_programs_right(two: tuple[str, str]) -> None:
    with acting(Role.GUEST, "somebody"):
        with pytest.raises(Forbidden, match="guests cannot start it"):
            actions.load_on_demand(find_model("first"))
        with pytest.raises(Forbidden, match="Only the owner"):
            actions.start(find_model("first"), SMALL)
    assert state("first") == State.STOPPED


def test_another_than_was_named_does_not_give_way(two: tuple[str, str]) -> None:
    first, second = (find_model(name) for name in two)
    actions.start(first, SMALL)
    with pytest.raises(NoRoom):
        actions.start(second, SMALL, instead_of=["third"])
    with use.using("first"), pytest.raises(NoRoom, match="needs about"):
        actions.start(second, SMALL, instead_of=["first"])
    assert state("first") == State.READY


def test_where_the_load_fails_after_all_what_gave_way_comes_back(
    two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (find_model(name) for name in two)
    actions.start(first, SMALL)
    start = ENGINE.start

    def failing(model: str, options: StartOptions) -> None:
        if model == "second":
            raise BerthError("The file is broken.", "Take another.")
        start(model, options)

    monkeypatch.setattr(ENGINE, "start", failing)
    with pytest.raises(BerthError, match="broken"):
        actions.start(second, SMALL, instead_of=["first"])
    assert state("first") == State.READY


def test_a_model_that_nobody_uses_is_stopped_and_that_is_told(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    model, watch = find_model("tiny"), Idle()
    rules.change(model, Rule(idle_minutes=5))
    actions.start(model, SMALL)
    began = time.monotonic()
    assert watch.look(now=began) == []
    list(ENGINE.chat("tiny", [Message(role="user", content="a")], ChatOptions(max_tokens=1)))
    assert watch.look(now=began + 6 * MINUTE) == []  # its engine was used, past Berth's own book
    assert watch.look(now=began + 10 * MINUTE) == []
    assert watch.look(now=began + 12 * MINUTE) == ["tiny"]
    assert state("tiny") == State.STOPPED
    event = activity.recent()[0]
    assert (event.kind, event.who, event.detail) == (
        Kind.STOPPED,
        "Berth",
        "nobody used it for 5 min",
    )
    home = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert any("tiny was stopped, by Berth" in text.value for text in home.markdown)
    home.segmented_control(key="activity_filter").select("Failures").run()
    assert not any("was stopped" in text.value for text in home.markdown)
    assert not home.exception


def test_the_page_offers_to_make_room_and_does(two: tuple[str, str]) -> None:
    first, second = (find_model(name) for name in two)
    actions.start(first, SMALL)
    actions.start_soon(second, SMALL)
    until(lambda: actions.failure(second) is not None, "it was refused")
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    assert any("needs about" in error.value for error in page.error)
    [button] = [b for b in page.button if b.label == "Stop first and start it"]
    button.click().run()
    assert not page.exception
    until(lambda: state("second") == State.READY, "the second runs")
    until(lambda: not actions.is_starting(second), "its start is over")
    assert state("first") == State.STOPPED


def test_the_page_pins_a_model_and_says_so(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    page.button(key="more-llamacpp-tiny").click().run()
    page.selectbox(key="idle-llamacpp-tiny").select(30).run()
    assert rules.of(find_model("tiny")) == Rule(idle_minutes=30)
    assert any("stops after 30 min unused" in caption.value for caption in page.caption)
    page.toggle(key="pin-llamacpp-tiny").set_value(True).run()
    assert rules.of(find_model("tiny")).is_pinned
    assert any("pinned" in caption.value for caption in page.caption)
    assert page.selectbox(key="idle-llamacpp-tiny").disabled
    assert not page.exception


def test_the_page_keeps_a_set_of_options_loads_with_it_and_leads_back(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    page.button(key="more-llamacpp-tiny").click().run()
    page.number_input(key="variant-Context length-llamacpp-tiny-").set_value(512).run()
    page.number_input(key="variant-Slots-llamacpp-tiny-").set_value(2).run()
    assert any("**Fits.** It takes about" in caption.value for caption in page.caption)
    page.text_input(key="variant-name-llamacpp-tiny-").set_value("Two at once").run()
    page.button(key="variant-save-llamacpp-tiny-").click().run()
    assert not page.exception
    assert page.selectbox(key="variant-llamacpp-tiny").value == "Two at once"
    actions.start(find_model("tiny"), StartOptions())
    assert find_model("tiny").context == 512
    page.run()
    [said] = [c.value for c in page.caption if c.value.startswith("Two at once: ")]
    assert "context 512 · 2 slots" in said
    assert "took" in said
    page.selectbox(key="variant-llamacpp-tiny").select("").run()
    page.button(key="variant-load-llamacpp-tiny").click().run()
    until(lambda: find_model("tiny").context == 1_024, "it is loaded as computed")
    page.selectbox(key="variant-llamacpp-tiny").select("Two at once").run()
    page.button(key="variant-delete-llamacpp-tiny").click().run()
    assert variants.of("llamacpp/tiny") == variants.Variants()
    assert not page.exception


def test_a_set_without_a_name_is_refused_and_nothing_that_was_typed_is_lost(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    page.button(key="more-llamacpp-tiny").click().run()
    page.number_input(key="variant-Context length-llamacpp-tiny-").set_value(512).run()
    page.button(key="variant-save-llamacpp-tiny-").click().run()
    assert any("A name has 1 to 40 letters" in error.value for error in page.error)
    assert page.number_input(key="variant-Context length-llamacpp-tiny-").value == 512


def test_the_page_sets_hours_and_a_start_with_the_machine(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    page.button(key="more-llamacpp-tiny").click().run()
    page.toggle(key="boot-llamacpp-tiny").set_value(True).run()
    page.button(key="hours-save-llamacpp-tiny").click().run()
    rule = rules.of(find_model("tiny"))
    assert rule == Rule(starts_at_boot=True, hours=Hours())
    said = "08:00 to 18:00 on Mon to Fri · starts with the machine"
    assert any(said in caption.value for caption in page.caption)
    page.button(key="hours-off-llamacpp-tiny").click().run()
    assert rules.of(find_model("tiny")) == Rule(starts_at_boot=True)
    assert not page.exception


def test_the_page_says_when_one_that_ended_starts_again(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    actions.start(find_model("tiny"), SMALL)
    os.kill(child_of("tiny").pid, signal.SIGKILL)
    until(lambda: state("tiny") == State.FAILED, "it has ended")
    Comeback().look()
    page = AppTest.from_file(MODELS, default_timeout=30).run()
    assert any("starts again in" in c.value and "(try 1 of 3)" in c.value for c in page.caption)
    page.button(key="more-llamacpp-tiny").click().run()
    assert any(box.label.startswith("It ended") for box in page.expander)
    assert not page.exception


def test_loading_one_that_runs_with_other_options_is_judged_before_it_is_stopped(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(models / "tiny.gguf", context=1_000_000)
    actions.start(find_model("tiny"), SMALL)
    large = SMALL.model_copy(update={"prompt_cache_mib": 65_536, "slots": 64})
    with pytest.raises(NoRoom, match="needs about"):
        actions.start(find_model("tiny"), large)
    record = records.read("tiny")
    assert record is not None
    assert record.options == SMALL
    assert state("tiny") == State.READY
    needed = ledger.needed_bytes(find_model("tiny"), SMALL.model_copy(update={"context": 512}))
    monkeypatch.setattr("lib.machine.sampler.memory_available_bytes", lambda: needed)
    assert ledger.needed_bytes(find_model("tiny"), SMALL) == 0


def test_a_removal_that_is_asked_for_while_a_start_is_judged_wins(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(models / "tiny.gguf")
    judge = ledger.judge

    def slow(model: Model, options: StartOptions) -> ledger.Judgement:
        removals.mark(model, "as it is")
        return judge(model, options)

    monkeypatch.setattr(ledger, "judge", slow)
    with pytest.raises(Conflict, match="about to be removed"):
        actions.start(find_model("tiny"), SMALL)
    assert state("tiny") == State.STOPPED


def test_one_that_does_not_run_gives_no_memory_back(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    actions.start(find_model("tiny"), SMALL)
    assert room.given_back(find_model("tiny")) > 0
    actions.stop(find_model("tiny"))
    assert room.given_back(find_model("tiny")) == 0
