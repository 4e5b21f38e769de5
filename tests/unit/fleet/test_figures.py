"""What a list says of models, and in which order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.core.access import Role, acting
from lib.core.files import write_text
from lib.core.settings import settings
from lib.engines.base import Model, StartOptions, State, Usage
from lib.engines.llamacpp.measured import Measured
from lib.fleet import figures, removals, served
from lib.fleet.figures import Figures, Order, arranged, of_all

MIB = 2**20


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


def row(name: str, **known: Any) -> Model:
    return Model(**{"name": name, "engine": "llamacpp", "state": State.STOPPED, **known})


def names(found: list[Figures]) -> list[str]:
    return [one.model.name for one in found]


def remember(name: str, expected: int, taken: int) -> Path:
    path = settings().engines / f"{name}.memory"
    found = Measured(at=1.0, options=StartOptions(), expected=expected, taken=taken)
    older = found.model_copy(update={"options": StartOptions(context=256), "taken": 1})
    write_text(path, f"[{found.model_dump_json()}, {older.model_dump_json()}]")
    return path


EVERY = [
    row("b", size_bytes=3, context_trained=512),
    row("A", size_bytes=1, state=State.READY, context=4096),
    row("c", size_bytes=2, engine="ollama", state=State.FAILED),
]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.USUAL, ["A", "c", "b"]),
        (Order.NAME, ["A", "b", "c"]),
        (Order.ENGINE, ["A", "b", "c"]),
        (Order.DISK, ["b", "c", "A"]),
        (Order.CONTEXT, ["A", "b", "c"]),
        (Order.SPEED, ["A", "b", "c"]),
        (Order.USED, ["A", "b", "c"]),
    ],
)
def test_a_list_is_sorted(order: Order, expected: list[str]) -> None:
    assert names(arranged(of_all(EVERY), order=order)) == expected


def test_a_list_is_turned_round_and_equals_stay_by_name() -> None:
    found = of_all(EVERY)
    assert names(arranged(found, order=Order.DISK, is_reversed=True)) == ["A", "c", "b"]
    assert names(arranged(found, order=Order.NAME, is_reversed=True)) == ["c", "b", "A"]
    assert names(arranged(found, order=Order.SPEED, is_reversed=True)) == ["A", "b", "c"]


def test_a_list_is_filtered_by_name_engine_and_state() -> None:
    found = of_all(EVERY)
    assert names(arranged(found, " B ")) == ["b"]
    assert names(arranged(found, engines=["ollama"])) == ["c"]
    assert names(arranged(found, states=[State.READY, State.FAILED])) == ["A", "c"]
    assert arranged(found, "a", engines=["ollama"]) == []


def test_ten_thousand_models_are_arranged() -> None:
    many = [row(f"model-{number:05}", size_bytes=number) for number in range(10_000)]
    found = arranged(of_all(many), "9", order=Order.DISK)
    assert names(found)[0] == "model-09999"
    assert len(found) == sum("9" in f"{number:05}" for number in range(10_000))


def test_what_was_measured_stands_beside_what_was_expected() -> None:
    remember("a", 300 * MIB, 200 * MIB)
    [one, other] = of_all([row("a", size_bytes=MIB), row("b", size_bytes=4_000 * MIB)])
    assert (one.expected_bytes, one.taken_bytes, one.is_rough) == (300 * MIB, 200 * MIB, False)
    assert (other.expected_bytes, other.taken_bytes, other.is_rough) == (4_800 * MIB, 0, True)
    [now] = of_all([row("a", memory_bytes=7 * MIB)])
    assert now.taken_bytes == 7 * MIB


def test_what_was_measured_is_read_once_and_again_when_it_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remember("a", 300 * MIB, 200 * MIB)
    of_all([row("a")])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
        assert of_all([row("a")])[0].taken_bytes == 200 * MIB
    remember("a", 300 * MIB, 222 * MIB)
    assert of_all([row("a")])[0].taken_bytes == 222 * MIB


def test_a_file_of_before_has_one_set_of_options() -> None:
    path = remember("a", 300 * MIB, 200 * MIB)
    path.write_text(path.read_text().strip("[]").partition(', {"at')[0])
    assert of_all([row("a")])[0].taken_bytes == 200 * MIB


def test_a_file_that_says_nothing_is_passed_over() -> None:
    write_text(settings().engines / "a.memory", "{")
    assert of_all([row("a", size_bytes=MIB)])[0].is_rough


def test_nobody_guesses_about_a_model_elsewhere() -> None:
    [one] = of_all([row("a@lab", engine="vllm", is_elsewhere=True)])
    assert (one.expected_bytes, one.taken_bytes) == (0, 0)


def test_speed_and_last_use_are_what_was_served() -> None:
    served.note("llamacpp", "a", Usage(completion_tokens=9, tokens_per_second=42.0), who="")
    served.settle()
    [one, other] = of_all([row("a"), row("a", engine="ollama")])
    assert one.speed == 42.0
    assert one.used_at
    assert (other.speed, other.used_at) == (None, None)
    assert names(arranged([other, one], order=Order.SPEED)) == ["a", "a"]
    assert arranged([other, one], order=Order.USED)[0] is one


def test_a_removal_belongs_to_the_model_of_its_engine_alone() -> None:
    removals.mark(row("a", engine="vllm"), "")
    [one, other] = of_all([row("a"), row("a", engine="vllm")])
    assert one.removal is None
    assert other.removal
    assert figures.of_one(row("a", engine="vllm")).removal
