"""How many copies of windows and states are kept, and what they take."""

from pathlib import Path

import pytest

from lib.fit.architecture import geometry
from lib.fit.context_checkpoints import BUDGET_BYTES, MOST, number, total_bytes
from lib.fit.gguf import read_file
from lib.fit.memory import Load, checkpoints, need
from tests.support.blueprints import MODELS
from tests.support.plans import blueprint_file

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "slots", "kept", "expected_mib"),
    [
        ("Llama-3.1-8B", 1, MOST, 0),  # nothing that cannot be wound back
        ("Gemma-3-270M", 1, MOST, 4 * 7.5),
        ("Gemma-3-12B", 1, 1, 320),  # two would be more than the budget
        ("Gemma-3-12B", 4, 1, 4 * 320),
        ("Qwen3.5-9B", 1, MOST, 4 * 50.25),
        ("Qwen3.5-9B", 4, 2, 2 * 4 * 50.25),
        ("Mamba-2-2.7B", 1, 3, 3 * 163.75),
    ],
)
def test_large_copies_are_fewer(
    name: str, slots: int, kept: int, expected_mib: float, tmp_path: Path
) -> None:
    shape = geometry(read_file(blueprint_file(name, tmp_path)))
    load = Load(context=8_192, slots=slots)
    assert checkpoints(shape, load) == kept
    assert need(shape, load).checkpoints / MIB == pytest.approx(expected_mib, rel=0.01)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("slots", [1, 4, 16])
def test_more_than_the_budget_is_taken_by_one_a_slot_alone(
    name: str, slots: int, tmp_path: Path
) -> None:
    kinds = geometry(read_file(blueprint_file(name, tmp_path))).kinds
    taken = total_bytes(kinds, 131_072, slots, 2.0)
    assert taken <= BUDGET_BYTES or number(kinds, slots, 2.0) == 1


@pytest.mark.parametrize("name", ["Gemma-2-9B", "Gemma-3-12B", "gpt-oss-20b", "Llama-4-Scout"])
def test_a_longer_context_never_needs_less(name: str, tmp_path: Path) -> None:
    kinds = geometry(read_file(blueprint_file(name, tmp_path))).kinds
    needs = [total_bytes(kinds, context, 1, 2.0) for context in range(64, 16_384, 64)]
    assert needs == sorted(needs)


def test_a_smaller_cache_makes_smaller_copies(tmp_path: Path) -> None:
    shape = geometry(read_file(blueprint_file("Gemma-3-270M", tmp_path)))
    whole, half = (need(shape, Load(kv_type=kind)).checkpoints for kind in ("f16", "q8_0"))
    assert half / whole == pytest.approx(34 / 64, rel=0.01)


def test_who_writes_nothing_keeps_none(tmp_path: Path) -> None:
    shape = geometry(read_file(blueprint_file("Gemma-3-270M", tmp_path)))
    assert need(shape, Load(reads=True)).checkpoints == 0
