"""Removals that can be undone: with real files, a real child, and a fake Ollama."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core import activity
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.errors import BadInput, Conflict, Forbidden
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines import all_models, find_model
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp.adopt import adopt
from lib.engines.ollama import ENGINE as OLLAMA
from lib.fleet import actions, removals, removing
from lib.fleet.removals import UNDO_SECONDS, Removal
from lib.fleet.removing import Removing
from lib.jobs import jobs
from tests.support.fake_ollama import running_ollama
from tests.support.ollama import faking
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

NAME = "llama3.2:1b"  # that the fake Ollama knows
SMALL = StartOptions(context=256, threads=1, prompt_cache_mib=0)


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


@pytest.fixture
def model(models: Path) -> Model:
    write_tiny(models / "tiny.gguf")
    return find_model("tiny")


def file() -> Path:
    return settings().models / "tiny.gguf"


def asked(model: Model) -> Removal:
    """The mark of a removal that was just asked for."""
    removing.remove_soon(model)
    removal = removals.of(model)
    assert removal
    return removal


def over(watch: Removing) -> list[str]:
    """What a watch does that has looked before, once the time for an undo is over."""
    now = time.monotonic()
    assert watch.look(now) == []
    assert watch.look(now + UNDO_SECONDS - 0.1) == []
    return watch.look(now + UNDO_SECONDS)


def failures() -> list[str]:
    return [event.detail for event in activity.recent(kinds=(Kind.FAILED,))]


def test_it_is_stopped_at_once_and_its_file_goes_when_the_time_is_over(model: Model) -> None:
    actions.start(model, SMALL)
    removal = asked(find_model("tiny"))
    assert removal.frees_bytes == file().stat().st_size
    assert find_model("tiny").state == State.STOPPED
    assert file().exists()
    assert over(Removing()) == ["tiny"]
    assert not file().exists()
    assert removals.waiting() == {}
    assert [event.kind for event in activity.recent(2)] == [Kind.REMOVED, Kind.STOPPED]


def test_after_an_undo_nothing_has_happened_to_it(model: Model) -> None:
    before = file().stat()
    removing.remove_soon(model)
    assert removing.undo(model)
    assert over(Removing()) == []
    assert file().stat() == before
    actions.start(model, SMALL)
    assert find_model("tiny").state == State.READY


def test_an_undo_that_comes_too_late_says_so(model: Model) -> None:
    removing.remove_soon(model)
    over(Removing())
    assert not removing.undo(model)


def test_nobody_starts_it_meanwhile(model: Model) -> None:
    removing.remove_soon(model)
    with pytest.raises(Conflict, match="about to be removed") as refused:
        actions.start(model, SMALL)
    assert "Undo its removal" in refused.value.fix
    with pytest.raises(Conflict, match="about to be removed"):
        actions.load(model, SMALL)
    change(guests={"may_load": True})
    with acting(Role.GUEST, "guest-1"), pytest.raises(Conflict, match="about to be removed"):
        actions.load(model, SMALL)
    assert find_model("tiny").state == State.STOPPED


def test_what_was_started_past_berth_stays_and_that_is_told(model: Model) -> None:
    removing.remove_soon(model)
    ENGINE.start("tiny", SMALL)
    assert over(Removing()) == []
    assert file().exists()
    assert find_model("tiny").state == State.READY
    assert failures() == ["It was not removed. It has been started since."]
    assert removals.waiting() == {}


def test_another_of_its_name_stays(model: Model) -> None:
    removing.remove_soon(model)
    file().unlink()
    write_tiny(file(), context=512)
    assert over(Removing()) == []
    assert file().exists()
    assert failures() == ["It was not removed. Another model has its name now."]


@pytest.mark.usefixtures("ended_jobs")
def test_one_that_is_being_deployed_again_stays(models: Path) -> None:
    write_tiny(models / "acme" / "Tiny-GGUF" / "main" / "tiny.gguf")
    model = find_model("tiny")
    removing.remove_soon(model)
    jobs.start(["sleep", "60"], title="tiny", kind="deploy", details={"model": model.source})
    assert over(Removing()) == []
    assert failures() == ["It was not removed. It is being deployed again."]
    assert find_model("tiny")


def test_a_dashboard_that_begins_carries_out_what_an_earlier_one_has_left(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing.remove_soon(model)
    later = time.time() + UNDO_SECONDS + 1
    monkeypatch.setattr("lib.fleet.removals.time.time", lambda: later)
    assert Removing().look() == ["tiny"]
    assert not file().exists()


def test_what_was_broken_off_in_the_middle_is_done_to_its_end(model: Model) -> None:
    assert removals.begin(asked(model))
    assert not removing.undo(model)
    assert Removing().look() == ["tiny"]
    assert not file().exists()
    assert removals.broken_off() == []


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    removal = asked(model)
    yesterday = time.time() - 86_400
    monkeypatch.setattr("lib.fleet.removals.time.time", lambda: yesterday)
    assert removal.left_seconds == UNDO_SECONDS
    assert over(Removing()) == ["tiny"]


def test_two_dashboards_do_it_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    removing.remove_soon(model)
    monkeypatch.setattr(removals.Removal, "left_seconds", 0.0)
    monkeypatch.setattr(Removing, "seconds", 0.02)
    watches = [Removing(), Removing()]
    for watch in watches:
        watch.start()
    until(lambda: not removals.waiting() and not removals.broken_off(), "the removal")
    for watch in watches:
        watch.stop()
    assert not file().exists()
    assert [event.kind for event in activity.recent()] == [Kind.REMOVED]


def test_of_a_link_the_link_goes_and_its_file_stays(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "linked.gguf")
    adopt(mine)
    removal = asked(find_model("linked"))
    assert removal.frees_bytes == 0
    assert over(Removing()) == ["linked"]
    assert mine.exists()
    assert all_models() == []


def test_at_once_means_at_once_and_leaves_no_mark(model: Model) -> None:
    removing.remove_soon(model)
    actions.remove(model)
    assert not file().exists()
    assert removals.waiting() == {}


def test_guests_neither_remove_nor_undo(model: Model) -> None:
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
        removing.remove_soon(model)
    removing.remove_soon(model)
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
        removing.undo(model)
    assert removals.of(model)


@pytest.mark.parametrize("known", [{"remove_with": "rm"}, {"is_elsewhere": True}], ids=str)
def test_what_is_removed_by_a_job_or_elsewhere_is_refused(
    model: Model, known: dict[str, object]
) -> None:
    with pytest.raises(BadInput, match="not removed this way"):
        removing.remove_soon(model.model_copy(update=known))


def test_a_mark_that_nobody_can_read_removes_nothing(model: Model) -> None:
    removing.remove_soon(model)
    [mark] = (settings().home / "removals").iterdir()
    mark.write_text("{}")
    assert removals.waiting() == {}
    assert over(Removing()) == []
    assert file().exists()


def test_where_the_mark_cannot_be_written_nothing_is_stopped(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.start(model, SMALL)
    shutil.rmtree(settings().home / "removals", ignore_errors=True)
    (settings().home / "removals").write_text("in the way")
    with pytest.raises(Conflict, match="cannot be marked"):
        removing.remove_soon(model)
    assert find_model("tiny").state == State.READY


def test_a_model_of_ollama_goes_and_comes_back_the_same_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch, "--models", NAME):
        [model] = all_models("ollama")
        removing.remove_soon(model)
        assert removing.undo(model)
        removing.remove_soon(model)
        assert over(Removing()) == [model.name]
        assert OLLAMA.models() == []


def test_where_its_engine_is_gone_when_the_time_is_over_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_ollama("--models", NAME) as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        [model] = all_models("ollama")
        removing.remove_soon(model)
    assert over(Removing()) == []
    [told] = failures()
    assert told.startswith("It was not removed. Ollama")
    assert removals.waiting() == {}


def test_of_several_those_after_one_that_cannot_be_stopped_are_kept(
    model: Model, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("busy", "last"):
        write_tiny(models / f"{name}.gguf")
    stop = ENGINE.stop

    def stopping(name: str) -> None:
        if name == "busy":
            raise Conflict("It is still answering.")
        stop(name)

    monkeypatch.setattr(ENGINE, "stop", stopping)
    with pytest.raises(Conflict, match="still answering"):
        removing.remove_soon(model, find_model("busy"), find_model("last"))
    assert [*removals.waiting()] == ["llamacpp/tiny"]
