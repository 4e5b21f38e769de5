"""Models that come and go by the clock, or with the machine."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from lib.core.access import BERTH, Role, acting
from lib.core.errors import DoesNotFit, EngineError
from lib.core.settings import settings
from lib.engines.base import Model, StartOptions, State
from lib.fleet import actions, rules, schedule, use
from lib.fleet.hours import Hours
from lib.fleet.rules import Rule
from lib.fleet.schedule import Schedule

HOURS = Hours(days=tuple(range(7)))


def at(hour: int, day: int = 27, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, minute)  # of this machine's own time


class World:
    """Models, and what was done to them."""

    def __init__(self) -> None:
        self.models = {
            name: Model(name=name, engine="llamacpp", state=State.STOPPED) for name in "ab"
        }
        self.done: list[tuple[str, str]] = []
        self.has_room = True
        self.boot = "first"
        self.is_stuck = False
        self.meanwhile: Callable[[], None] = lambda: None  # while a model is loaded

    def all(self) -> list[Model]:
        return [*self.models.values()]

    def start(self, model: Model, _options: StartOptions) -> None:
        self.done.append(("start", model.name))
        self.meanwhile()
        if not self.has_room:
            raise DoesNotFit("There is no room.", "Make some.")
        self.set(model.name, State.READY)

    def stop(self, model: Model, why: str) -> None:
        self.done.append((f"stop, {why}", model.name))
        if self.is_stuck:
            raise EngineError("It could not be ended.", "Try again later.")
        self.set(model.name, State.STOPPED)

    def set(self, name: str, state: State, started_at: dt.datetime | None = None) -> None:
        began = started_at.timestamp() if started_at else None
        change = {"state": state, "started_at": began}
        self.models[name] = self.models[name].model_copy(update=change)


@pytest.fixture
def world(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    here = World()
    monkeypatch.setattr(schedule, "all_models", here.all)
    monkeypatch.setattr(schedule, "find_model", lambda name, engine: here.models[name])
    monkeypatch.setattr(schedule, "boot", lambda: here.boot)
    monkeypatch.setattr(actions, "start", here.start)
    monkeypatch.setattr(actions, "stop", here.stop)
    with acting(Role.OWNER, BERTH):
        Schedule().look(at(6))  # where it begins
        yield here


def rule(world: World, name: str, given: Rule) -> None:
    rules.change(world.models[name], given)


def test_it_is_started_at_the_begin_and_stopped_at_the_end_once(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    watch = Schedule()
    assert watch.look(at(7)) == []
    assert watch.look(at(8)) == ["a"]
    assert watch.look(at(9)) == []
    assert watch.look(at(18)) == ["a"]
    assert watch.look(at(19)) == []
    assert world.done == [("start", "a"), ("stop, its hours are 08:00 to 18:00 every day", "a")]


def test_who_stops_it_meanwhile_is_not_overruled_and_the_next_day_counts(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    Schedule().look(at(8))
    world.set("a", State.STOPPED)
    assert Schedule().look(at(9)) == []  # another dashboard, too
    assert Schedule().look(at(8, day=28)) == ["a"]


def test_a_clock_that_is_set_back_starts_nothing_twice(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    watch = Schedule()
    watch.look(at(8))
    world.set("a", State.STOPPED)
    assert watch.look(at(8, minute=5)) == []
    assert watch.look(at(8)) == []


def test_one_that_somebody_started_after_its_hours_goes_on(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    Schedule().look(at(8))
    world.set("a", State.READY, started_at=at(19))
    assert Schedule().look(at(20)) == []
    assert world.models["a"].state == State.READY


def test_one_that_was_not_started_for_its_hours_is_not_stopped_after_them(world: World) -> None:
    world.set("a", State.READY, started_at=at(7))
    rule(world, "a", Rule(hours=HOURS))
    assert Schedule().look(at(18)) == []


def test_a_reply_that_is_being_written_is_waited_for(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    watch = Schedule()
    watch.look(at(8))
    with use.using("a"):
        assert watch.look(at(18)) == []
    assert watch.look(at(18, minute=1)) == ["a"]


def test_a_pinned_one_stays(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS, is_pinned=True))
    watch = Schedule()
    watch.look(at(8))
    assert watch.look(at(18)) == []


def test_where_there_is_no_room_it_is_tried_once_and_not_every_few_seconds(world: World) -> None:
    rule(world, "a", Rule(hours=HOURS))
    world.has_room = False
    watch = Schedule()
    assert watch.look(at(8)) == []
    assert watch.look(at(8, minute=1)) == []
    assert world.done == [("start", "a")]


def test_with_the_machine_means_its_next_start_and_not_the_dashboards(world: World) -> None:
    rule(world, "b", Rule(starts_at_boot=True))
    assert Schedule().look(at(9)) == []
    world.boot = "second"
    assert Schedule().look(at(9)) == ["b"]
    world.set("b", State.STOPPED)
    assert Schedule().look(at(9)) == []


@pytest.mark.parametrize("text", ["", "[]", '{"begins": {"llamacpp/a": "yesterday"}}'])
def test_a_file_that_nobody_can_read_is_begun_anew(text: str, world: World) -> None:
    rule(world, "a", Rule(hours=HOURS, starts_at_boot=True))
    (settings().home / "schedule.json").write_text(text)
    assert Schedule().look(at(6)) == []
    assert Schedule().look(at(8)) == ["a"]


@pytest.mark.parametrize("state", [State.STARTING, State.FAILED, State.READY])
def test_one_that_cannot_be_stopped_at_the_end_is_stopped_later(state: State, world: World) -> None:
    """It was just coming up, was about to come back after a crash, or its engine was stuck."""
    rule(world, "a", Rule(hours=HOURS))
    watch = Schedule()
    watch.look(at(8))
    world.set("a", state)
    world.is_stuck = True
    assert watch.look(at(18)) == []
    world.is_stuck = False
    world.set("a", State.READY)
    assert watch.look(at(18, minute=1)) == ["a"]
    assert watch.look(at(18, minute=2)) == []


def test_one_that_failed_is_ended_so_that_it_does_not_come_back_after_its_hours(
    world: World,
) -> None:
    rule(world, "a", Rule(hours=HOURS))
    watch = Schedule()
    watch.look(at(8))
    world.set("a", State.FAILED)
    assert watch.look(at(18)) == ["a"]
    assert world.models["a"].state == State.STOPPED


def test_what_a_person_started_while_another_was_loaded_is_left_alone(world: World) -> None:
    for name in "ab":
        rule(world, name, Rule(hours=HOURS))
    world.meanwhile = lambda: world.set("b", State.READY)
    assert Schedule().look(at(8)) == ["a"]
    assert world.done == [("start", "a")]


def test_an_engine_that_comes_up_after_berth_has_its_models_started_too(world: World) -> None:
    rule(world, "b", Rule(starts_at_boot=True))
    world.boot, late = "second", world.models.pop("b")
    assert Schedule().look(at(9)) == []
    world.models["b"] = late
    assert Schedule().look(at(9, minute=1)) == ["b"]
    world.set("b", State.STOPPED)
    assert Schedule().look(at(9, minute=2)) == []


def test_what_is_marked_long_after_the_start_of_the_machine_waits_for_the_next(
    world: World,
) -> None:
    world.boot = "second"
    Schedule().look(at(9))
    rule(world, "b", Rule(starts_at_boot=True))
    assert Schedule().look(at(10)) == []
