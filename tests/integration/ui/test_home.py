"""Home: what was asked today, what runs, the first steps, what happened; a guest sees less."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import activity
from lib.core.activity import KEPT_SECONDS, Kind
from lib.core.files import write_json
from lib.core.preferences import change, preferences
from lib.core.settings import settings
from lib.deploy.starter import STARTER
from lib.engines.base import Usage
from lib.fleet import served
from lib.fleet.served import PROGRAM
from lib.jobs import jobs
from lib.jobs.jobs import Record
from lib.ui import activity_view, home
from tests.conftest import ROOT
from tests.support import tiny_gguf
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.visitors import GUEST, OWNER, nobody_by_default
from tests.support.waiting import until

SECONDS = 30
STEPS = ["Berth runs", "A model is here", "You have asked it something", "A program has asked it"]


def opened(user: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(ROOT / "Home.py", default_timeout=SECONDS)
    page.user = dict(user or OWNER)
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    every = (page.markdown, page.caption, page.header, page.info)
    return " ".join(str(one.value) for elements in every for one in elements)


def links(page: AppTest) -> list[str]:
    return [link.proto.label for link in page.get("page_link")]


def drawings(page: AppTest) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def asleep(*names: str) -> None:
    for name in names:
        tiny_gguf.write_tiny(settings().models / f"{name}.gguf")


def answered(model: str, tokens: int, who: str = "", speed: float | None = 12.5) -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=tokens, tokens_per_second=speed)
    served.note("llamacpp", model, usage, who)
    served.settle()


@pytest.fixture
def running(home: Path) -> Iterator[None]:
    with running_fake() as fake:
        lay_fake(home, fake)
        yield


def test_today_says_how_much_was_asked_and_by_whom(running: None) -> None:
    for who, times in (("", 3), ("guest", 2), (PROGRAM, 1)):
        for _ in range(times):
            answered("fake", 490, who)
    assert "**Today** 6 requests, 3,000 tokens: you 3, guests 2, programs 1." in shown(opened())


def test_a_day_without_a_question_says_so_in_the_same_place(running: None) -> None:
    assert "**Today** nothing was asked yet." in shown(opened())


def test_what_runs_is_shown_with_its_last_half_hour(running: None) -> None:
    answered("fake", 1_234)
    page = opened()
    assert "fake: 1,234 tokens in the last 30 minutes" in drawings(page)
    assert "1,234 tokens in 30 min · 12.5 tok/s" in shown(page)


def test_what_runs_and_was_not_asked_has_its_strip_too(running: None) -> None:
    page = opened()
    assert "fake: no tokens in the last 30 minutes" in drawings(page)
    assert "no tokens in 30 min" in shown(page)


def test_where_nothing_runs_what_was_used_last_comes_first(home: Path) -> None:
    asleep(*(f"m{number}" for number in range(8)))
    answered("m6", 5)
    page = opened()
    starts = [button.key for button in page.button if button.label == "Start"]
    assert starts[0] == "start-llamacpp-m6"
    assert len(starts) == 5
    assert "Not running" in shown(page)
    assert "All models" in links(page)
    assert "role=" not in drawings(page)


def test_of_many_that_run_the_rest_is_on_models(home: Path) -> None:
    with running_fake() as fake:
        for number in range(7):
            lay_fake(home, fake, name=f"m{number}")
        page = opened()
    assert len([button for button in page.button if button.label == "Stop"]) == 5
    assert "2 more on Models" in links(page)


def test_an_engine_that_is_down_is_said_with_what_to_do(
    running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    assert "Ollama does not run\\." in shown(opened())


def guide(page: AppTest) -> dict[str, bool]:
    """Which steps are shown, and which of them have their tick."""
    every = [str(one.value) for one in page.markdown]
    return {s: "check_circle" in text for s in STEPS for text in every if text.endswith(f"] {s}")}


def test_the_first_steps_tick_by_facts(running: None) -> None:
    assert guide(opened()) == dict(zip(STEPS, (True, True, False, False), strict=True))
    answered("fake", 5, "Berth")  # a test of Berth's own
    assert guide(opened()) == dict(zip(STEPS, (True, True, False, False), strict=True))
    answered("fake", 5, "")
    page = opened()
    assert guide(page) == dict(zip(STEPS, (True, True, True, False), strict=True))
    assert any(code.value.endswith("/v1") for code in page.code)


def test_without_a_model_the_first_steps_are_there_too(home: Path) -> None:
    page = opened()
    assert guide(page) == dict(zip(STEPS, (True, False, False, False), strict=True))
    assert "Start with a small model" in [button.label for button in page.button]


def test_the_first_steps_are_ticked_to_the_end_and_never_come_again(running: None) -> None:
    page = opened()
    answered("fake", 5, "")
    answered("fake", 5, PROGRAM)
    page.run()
    assert all(guide(page).values())
    page.button(key="guide_end").click().run()
    assert guide(page) == {}
    assert guide(opened()) == {}
    assert preferences().guide_is_over


def test_whoever_has_done_all_that_before_sees_no_first_steps(running: None) -> None:
    answered("fake", 5, "")
    answered("fake", 5, PROGRAM)
    assert guide(opened()) == {}
    assert preferences().guide_is_over


def test_settings_that_are_broken_are_not_written_anew_unasked(running: None) -> None:
    settings().preferences.write_text("guests = [")
    answered("fake", 5, "")
    answered("fake", 5, PROGRAM)
    assert guide(opened()) == {}
    assert settings().preferences.read_text() == "guests = ["


def test_dismissed_first_steps_stay_away(running: None) -> None:
    page = opened()
    page.button(key="guide_end").click().run()
    assert guide(page) == {}
    assert guide(opened()) == {}


def test_a_guest_for_whom_no_model_is_meant_is_told_so(
    running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(guests={"models": ["llamacpp/other"]})
    nobody_by_default(monkeypatch)
    assert "No model runs here for guests now." in shown(opened(GUEST))


@pytest.mark.parametrize("models", [False, True])
def test_a_guest_sees_what_is_theirs_alone(
    home: Path, models: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_fake() as fake:
        if models:
            lay_fake(home, fake)
            lay_fake(home, fake, name="secret")
            change(guests={"models": ["llamacpp/fake"]})
            answered("fake", 100)
            activity.note(Kind.STARTED, "fake", who="")
        nobody_by_default(monkeypatch)
        page = opened(GUEST)
        told = shown(page)
    assert guide(page) == {}
    assert not page.metric
    assert not page.segmented_control
    assert not any(
        word in told for word in ("Today", "tokens", "secret", "Activity", "was started")
    )
    assert ("fake" in told) is models
    assert not {"Deploy a model", "Share", "Doctor"} & set(links(page))


def lay_job(number: int, created: float, code: int) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
    name = f"{stamp}-{number:06}-{number:04x}"
    folder = settings().jobs / name
    folder.mkdir(parents=True)
    record = Record(id=name, title=f"Job {number}", kind="deploy", command=("x",), created=created)
    write_json(folder / "job.json", record.model_dump(mode="json"))
    (folder / "exit_code").write_text(f"{code}\n")


def happened(page: AppTest) -> list[str]:
    """The lines of the activity: events, and jobs by their buttons."""
    events = [str(one.value) for one in page.markdown if " was st" in str(one.value)]
    failed = [str(one.value) for one in page.markdown if " failed" in str(one.value)]
    return [*events, *failed, *(b.label for b in page.button if b.label.startswith("Job"))]


def test_failures_are_those_of_models_and_of_deployments(home: Path) -> None:
    asleep("m")
    now = time.time()
    lay_job(1, now - 60, 0)
    lay_job(2, now - 50, 1)
    activity.note(Kind.FAILED, "m", "No room.", who="")
    activity.note(Kind.STARTED, "m", who="")
    page = opened()
    assert len(happened(page)) == 4
    page.segmented_control(key="activity_filter").set_value("Failures").run()
    assert sorted(happened(page)) == sorted(
        [f"{activity_view.ICONS[Kind.FAILED]} m failed: No room\\.", "Job 2"]
    )


def test_what_is_earlier_comes_by_the_step_and_ends_after_30_days(home: Path) -> None:
    asleep("m")
    now = time.time()
    lay_job(1, now - KEPT_SECONDS - 3_600, 0)
    for number in range(2, 42):
        lay_job(number, now - number * 60, 0)
    page = opened()
    assert len(happened(page)) == activity_view.SHOWN
    page.button(key="activity_more").click().run()
    assert len(happened(page)) == activity_view.SHOWN + activity_view.STEP
    page.button(key="activity_more").click().run()
    assert len(happened(page)) == 40
    assert "That is all of the last 30 days." in shown(page)
    page.button(key="activity_fewer").click().run()
    assert len(happened(page)) == activity_view.SHOWN


def test_another_choice_begins_short_again(home: Path) -> None:
    asleep("m")
    for number in range(1, 20):
        lay_job(number, time.time() - number * 60, 0)
    page = opened()
    page.button(key="activity_more").click().run()
    page.segmented_control(key="activity_filter").set_value("Deployments").run()
    assert len(happened(page)) == activity_view.SHOWN
    page.segmented_control(key="activity_filter").set_value("Guests").run()
    assert "Nothing of this kind has happened in the last 30 days." in shown(page)


def test_askers_that_nobody_knows_are_named_as_they_are() -> None:
    by = {"": served.Share(1_200, 5), "key of Ana": served.Share(2, 5)}
    assert home.by_whom(by) == "you 1,200, key of Ana 2"


def test_of_many_askers_those_are_named_who_asked_most() -> None:
    by = {f"key {number}": served.Share(10 - number, 5) for number in range(8)}
    told = home.by_whom(by)
    assert told.startswith("key 0 10, key 1 9,")
    assert told.endswith("key 5 5, others 7")


def starter_job(state: str, log: str = "") -> jobs.Job:
    """The small model's job, as its runner and its command leave it."""
    job = jobs.start(
        ["sh", "-c", f"printf '%s' \"$SAYS\"; {state}"],
        title="Deploy Qwen2.5 Coder 0.5B",
        kind="starter",
        resource=f"model:{STARTER.name}",
        env={"SAYS": log},
    )
    if state != "sleep 600":
        until(lambda: not jobs.find(job.id).is_active, "its end")
    return jobs.find(job.id)


def lay_small(home: Path) -> None:
    """A file that stands for the starter's: of its size, and of no bytes."""
    path = STARTER.path
    path.parent.mkdir(parents=True)
    tiny_gguf.write_tiny(path)
    os.truncate(path, STARTER.size_bytes)


def test_four_models_are_offered_each_with_what_it_takes() -> None:
    page = opened()
    said = " ".join(caption.value for caption in page.caption)
    assert "491 MB to download" in said
    assert "Apache-2.0" in said
    starts = [button for button in page.button if str(button.key).startswith("start_")]
    assert len(starts) == 4
    assert starts[-1].label == "Start with a small model"
    assert sum(button.proto.type == "primary" for button in starts) <= 1


def test_while_a_starter_runs_no_other_is_offered_and_nothing_waits_in_the_activity() -> None:
    job = starter_job("sleep 600")
    try:
        until(lambda: jobs.find(job.id).state == "running", "its start")
        page = opened()
        labels = [button.label for button in page.button]
        assert not any(label.startswith("Start with") for label in labels)
        assert labels.count("Cancel") == 1
        assert "is on its way" in shown(page)
        assert "Queued" not in [badge.proto.body for badge in page.get("badge")]
    finally:
        job.cancel()


def test_at_the_end_it_says_what_the_model_said_and_leads_to_the_chat(home: Path) -> None:
    lay_small(home)
    says = f"It says: The capital of *France* is Paris.\n{STARTER.name} is ready.\n"
    starter_job("exit 0", says)
    page = opened()
    [box] = [success.value for success in page.success]
    assert box == r"**Ready.** It says: The capital of \*France\* is Paris\."
    chat = page.button(key="starter_chat")
    assert (chat.label, chat.proto.type) == ("Chat", "primary")


def test_a_guest_is_told_nothing_of_it(home: Path) -> None:
    lay_small(home)
    starter_job("exit 0", "It says: Paris.\n")
    assert not opened(GUEST).success
