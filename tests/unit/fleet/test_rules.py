"""What is decided about single models, and for how long nobody uses one."""

import threading
from collections.abc import Iterator

import pytest

from lib.core import activity, preferences
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.errors import Conflict, Forbidden
from lib.core.settings import settings
from lib.engines.base import Model, State
from lib.engines.llamacpp.work import Work
from lib.fleet import idle, rules, use
from lib.fleet.idle import MINUTE, Idle
from lib.fleet.rules import Rule

MODEL = Model(name="a", engine="llamacpp", state=State.READY, started_at=1.0)


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Idle:
    monkeypatch.setattr(idle, "all_models", lambda: [MODEL])
    monkeypatch.setattr("lib.fleet.actions.stop", lambda model, why: None)
    monkeypatch.setattr(idle, "work_of", lambda name: Work(is_busy=False, tasks=(7,)))
    monkeypatch.setattr(use, "_last", {})
    return Idle()


def test_a_rule_is_kept_and_the_usual_one_takes_no_place() -> None:
    assert rules.of(MODEL) == Rule()
    rules.change(MODEL, Rule(is_pinned=True))
    assert rules.of(MODEL).is_pinned
    assert not rules.of(MODEL.model_copy(update={"engine": "ollama"})).is_pinned
    rules.change(MODEL, Rule())
    assert settings().rules.read_text() == "{}"


@pytest.mark.parametrize("text", ["", "[]", '{"llamacpp/a": {"idle_minutes": -1}}', "\0"])
def test_where_a_file_cannot_be_read_no_model_is_stopped(text: str) -> None:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().rules.write_text(text)
    assert rules.of(MODEL).is_pinned
    assert "no model is stopped by itself" in rules.problem()
    rules.change(MODEL, Rule(idle_minutes=5))
    assert rules.of(MODEL).idle_minutes == 5
    assert settings().rules.with_suffix(".broken.json").read_text() == text


def test_what_a_newer_version_has_decided_besides_is_no_damage() -> None:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().rules.write_text('{"llamacpp/a": {"idle_minutes": 5, "of_a_later_day": "8-18"}}')
    assert rules.of(MODEL) == Rule(idle_minutes=5)
    assert rules.problem() == ""


def test_a_disk_that_refuses_is_told_in_words() -> None:
    settings().home.parent.mkdir(parents=True, exist_ok=True)
    settings().home.write_text("a file in the place of the folder")
    with pytest.raises(Conflict, match="cannot be written"):
        rules.change(MODEL, Rule(is_pinned=True))


def test_only_the_owner_decides() -> None:
    with acting(Role.GUEST), pytest.raises(Forbidden):
        rules.change(MODEL, Rule(is_pinned=True))


def test_what_nobody_decided_is_as_the_settings_say() -> None:
    assert Rule().stops_after_minutes == 0
    preferences.change(idle_minutes=30)
    assert Rule().stops_after_minutes == 30
    assert Rule(idle_minutes=5).stops_after_minutes == 5
    assert Rule(idle_minutes=0).stops_after_minutes == 0
    assert Rule(idle_minutes=5, is_pinned=True).stops_after_minutes == 0


def test_a_model_is_stopped_when_nobody_has_used_it_for_so_long(watch: Idle) -> None:
    rules.change(MODEL, Rule(idle_minutes=10))
    assert watch.look(now=1_000.0) == []  # seen for the first time
    assert watch.look(now=1_000.0 + 10 * MINUTE - 1) == []
    assert watch.look(now=1_000.0 + 10 * MINUTE) == ["a"]


def test_use_begins_the_time_anew(watch: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.change(MODEL, Rule(idle_minutes=10))
    watch.look(now=1_000.0)
    monkeypatch.setitem(use._last, "a", 1_000.0 + 9 * MINUTE)
    assert watch.look(now=1_000.0 + 18 * MINUTE) == []
    assert watch.look(now=1_000.0 + 19 * MINUTE) == ["a"]


def test_who_is_answering_is_not_stopped(watch: Idle) -> None:
    rules.change(MODEL, Rule(idle_minutes=10))
    watch.look(now=0.0)
    with use.using("a"):
        assert watch.look(now=1e9) == []


def test_a_new_start_begins_the_time_anew(watch: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.change(MODEL, Rule(idle_minutes=10))
    watch.look(now=0.0)
    monkeypatch.setattr(idle, "work_of", lambda name: Work(is_busy=False, tasks=(-1,)))
    assert watch.look(now=11 * MINUTE) == []


@pytest.mark.parametrize(
    "work", [None, Work(is_busy=True, tasks=(7,)), Work(is_busy=False, tasks=(8,))]
)
def test_what_others_do_with_it_past_this_dashboard_counts(
    work: Work | None, watch: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works, it has worked since, or it does not tell: then nobody knows that it is idle."""
    rules.change(MODEL, Rule(idle_minutes=10))
    watch.look(now=0.0)
    monkeypatch.setattr(idle, "work_of", lambda name: work)
    assert watch.look(now=11 * MINUTE) == []
    monkeypatch.setattr(idle, "work_of", lambda name: Work(is_busy=False, tasks=(8,)))
    watch.look(now=12 * MINUTE)
    assert watch.look(now=23 * MINUTE) == ["a"]


def test_a_model_that_died_is_noted_once(watch: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.look(now=0.0)
    dead = MODEL.model_copy(update={"state": State.FAILED, "problem": "It was killed."})
    monkeypatch.setattr(idle, "all_models", lambda: [dead])
    for now in (15.0, 30.0):
        watch.look(now=now)
    [event] = activity.recent()
    assert (event.kind, event.subject, event.who) == (Kind.FAILED, "a", "Berth")
    assert event.detail == "It was killed."


def test_a_look_that_fails_does_not_end_the_watch(
    watch: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([ZeroDivisionError, None])
    seen = threading.Event()

    def models() -> list[Model]:
        if error := next(looks, None):
            raise error
        seen.set()
        return []

    monkeypatch.setattr(Idle, "seconds", 0.01)
    monkeypatch.setattr(idle, "all_models", models)
    watch.start()
    assert seen.wait(10)
    watch.stop()


@pytest.mark.parametrize("known", [{"engine": "ollama"}, {"place": "slot 0"}])
def test_what_others_may_use_past_berth_is_left_alone(
    known: dict[str, str], watch: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences.change(idle_minutes=10)
    monkeypatch.setattr(idle, "all_models", lambda: [MODEL.model_copy(update=known)])
    watch.look(now=0.0)
    assert watch.look(now=1e9) == []


def test_names_that_callers_make_up_do_not_fill_the_memory() -> None:
    for number in range(use.MOST_REMEMBERED + 50):
        with use.using(f"made-up-{number}"):
            pass
    assert len(use._last) <= use.MOST_REMEMBERED
    assert not any(name.startswith("made-up") for name in use._users)


def test_a_name_that_is_none_takes_no_memory() -> None:
    with use.using("x" * 10_000_000):
        assert not any(len(name) > use.LONGEST_NAME for name in use._last)


def test_several_users_are_counted() -> None:
    with use.using("a"):
        with use.using("a"):
            assert use.is_busy("a")
        assert use.is_busy("a")
    assert not use.is_busy("a")


def test_the_watch_ends_when_it_is_told() -> None:
    watch = Idle()
    watch.start()
    watch.stop()
    found = [thread for thread in threading.enumerate() if thread.name == "idle"]
    for thread in found:
        thread.join(5)
        assert not thread.is_alive()
