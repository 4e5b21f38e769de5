"""Whether there is room for a load, and what would make it: who asked, what ran, what happens."""

from collections.abc import Iterator
from typing import Any

import pytest

from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines import room
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp.work import Work
from lib.fleet import ledger, rules, use
from lib.fleet.ledger import NoRoom, admitted, judge, needed_bytes
from lib.fleet.rules import Rule
from lib.processes.background import Child
from tests.support import tiny_gguf

GIB = 2**30
SIZES: dict[str, int] = {}
OPTIONS = StartOptions()


@pytest.fixture(autouse=True)
def _owner(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ledger, "work_of", lambda name: Work(is_busy=name == "at-work"))
    estimate = room.of_file

    def of_file(model: Model, options: StartOptions) -> int:
        return SIZES.get(model.name) or estimate(model, options)

    monkeypatch.setattr(room, "of_file", of_file)
    SIZES.clear()
    with acting(Role.OWNER):
        yield


def row(name: str = "tiny", **known: Any) -> Model:
    return Model(**{"name": name, "engine": "llamacpp", "state": State.STOPPED, **known})


def wanted(gib: float, name: str = "wanted") -> Model:
    """A model whose file says that it needs so much."""
    SIZES[name] = round(gib * GIB)
    return row(name)


def running(name: str, gib: float, **known: Any) -> Model:
    held = {"state": State.READY, "memory_bytes": round(gib * GIB)}
    return row(name, **{**held, **known})


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_to(gib: float) -> None:
        monkeypatch.setattr("lib.machine.sampler.memory_available_bytes", lambda: int(gib * GIB))

    return set_to


def test_a_model_in_memory_needs_no_more() -> None:
    for state in (State.READY, State.STARTING):
        assert needed_bytes(row(state=state, size_bytes=GIB), OPTIONS) == 0


def test_a_model_of_another_engine_needs_its_weights_and_something_beside() -> None:
    needed = needed_bytes(row(engine="ollama", size_bytes=10 * GIB), OPTIONS)
    assert 11 * GIB < needed < 14 * GIB
    assert needed_bytes(row(engine="ollama"), OPTIONS) > 0


def test_a_file_is_looked_into_and_a_longer_context_costs_more() -> None:
    tiny_gguf.write_tiny(settings().models / "tiny.gguf", context=1_000_000)
    short = needed_bytes(row(), StartOptions(context=1_024, prompt_cache_mib=0))
    long = needed_bytes(row(), StartOptions(context=500_000, prompt_cache_mib=0))
    assert 40 * 2**20 < short < 100 * 2**20
    assert long > short + 200 * 2**20


def test_a_broken_file_is_judged_by_its_size() -> None:
    tiny_gguf.write_wrong_magic(settings().models / "tiny.gguf")
    assert needed_bytes(row(size_bytes=GIB), OPTIONS) > GIB


# Who asked, what ran, what would go. Free: 4 GiB; wanted: 6 GiB.
@pytest.mark.parametrize(
    ("there", "goes"),
    [
        ([], []),
        ([running("a", 3)], ["a"]),
        ([running("a", 1)], []),  # it would not help, so it stays
        ([running("a", 1), running("b", 3)], ["b"]),  # the small one would be in vain
        ([running("a", 1.5), running("b", 1.5)], ["a", "b"]),
        ([running("a", 3, state=State.STARTING)], []),
        ([running("a", 3, place="slot 0")], []),  # on a card
        ([running("a", 3, is_elsewhere=True)], []),
        ([running("at-work", 3)], []),  # for somebody else
    ],
)
def test_no_more_goes_than_helps(there: list[Model], goes: list[str], free: Any) -> None:
    free(4)
    judged = judge(wanted(6), OPTIONS, there or [row("other")])
    assert not judged.has_room
    assert sorted(model.name for model in judged.would_go) == goes


def test_ollama_judges_its_own_models_itself(free: Any) -> None:
    free(1)
    assert judge(row(engine="ollama", size_bytes=20 * GIB), OPTIONS, [row("other")]).has_room


def test_what_is_used_now_or_pinned_never_goes(free: Any) -> None:
    free(4)
    there = [running("busy", 3), running("kept", 3), running("idle", 3)]
    rules.change(there[1], Rule(is_pinned=True))
    with use.using("busy"):
        judged = judge(wanted(6), OPTIONS, there)
        alone = judge(wanted(6), OPTIONS, there[:2])
    assert [model.name for model in judged.would_go] == ["idle"]
    assert alone.would_go == ()
    assert alone.in_the_way == ("busy is answering", "kept is kept in memory")
    assert "busy is answering and kept is kept in memory. " in alone.objection.fix


def test_the_least_lately_used_goes_first(free: Any) -> None:
    free(4)
    for name in ("b", "a"):
        with use.using(name):
            pass
    judged = judge(wanted(6), OPTIONS, [running("a", 3), running("b", 3)])
    assert [model.name for model in judged.would_go] == ["b"]
    assert judged.objection.would_go == ("b",)
    assert judged.objection.fix == "Stop b: that makes room for it."


def test_the_refusal_names_both_figures(free: Any) -> None:
    free(4)
    with pytest.raises(NoRoom) as refused, admitted(wanted(6), OPTIONS):
        pytest.fail("loaded without room")
    assert refused.value.message == (
        "“wanted” needs about 6.0 GiB of memory, and 4.0 GiB are free."
    )
    assert "smaller quantization or context" in refused.value.fix


def test_a_guest_is_told_neither_the_owners_programs_nor_models(free: Any) -> None:
    free(4)
    judged = judge(wanted(6), OPTIONS, [running("secret", 3)])
    with acting(Role.GUEST, "someone"):
        refused = judged.objection
    assert refused.would_go == ()
    assert refused.fix == ledger.ASK
    assert "secret" not in str(refused)


def test_a_program_that_may_use_the_card_is_not_judged_by_the_memory(
    free: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(1)
    tiny_gguf.write_tiny(settings().models / "tiny.gguf", context=1_000_000)
    long = StartOptions(context=500_000)
    monkeypatch.setattr(ledger, "_may_use_a_card", lambda: True)
    assert needed_bytes(row(), long) == 0
    monkeypatch.setattr(ledger, "_may_use_a_card", lambda: False)
    assert needed_bytes(row(), long) > 200 * 2**20


def test_two_loads_at_once_do_not_both_count_on_the_same_memory(
    free: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(10)
    first = wanted(6, "first")
    monkeypatch.setattr(ledger, "all_models", lambda: [first])
    with admitted(first, OPTIONS):
        assert [load.model for load in room.loads()] == ["first"]
        with pytest.raises(NoRoom), admitted(wanted(6), OPTIONS):
            pytest.fail("loaded twice into the same memory")
    assert room.loads() == []
    with admitted(wanted(6), OPTIONS):
        pass


def test_the_note_of_a_process_that_is_gone_holds_no_memory(free: Any) -> None:
    free(10)
    with admitted(wanted(6), OPTIONS):
        [note] = settings().engines.glob("*.loading")
        left = room.loads()[0].model_copy(update={"waits": Child(pid=2**22 - 3, created_at=0)})
    note.write_text(left.model_dump_json())
    assert room.loads() == []
    assert not note.exists()


def test_a_load_that_fails_leaves_no_note(free: Any) -> None:
    free(10)
    with pytest.raises(ZeroDivisionError), admitted(wanted(6), OPTIONS):
        raise ZeroDivisionError
    assert room.loads() == []


def test_a_broken_note_is_passed_over(free: Any) -> None:
    free(10)
    settings().engines.mkdir(parents=True)
    (settings().engines / "x.loading").write_text("{")
    assert room.loads() == []
