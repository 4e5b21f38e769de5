"""What the driver tells of its cards, and what is left of that where it does not tell all."""

import os
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from lib.machine.cards import Card, Cards, cards
from tests.support.cards import WORLDS, CardWorld, in_world

GIB = 2**30
MIB = 2**20
NO_PID = 4_194_303  # above what Linux gives, or at its very end


def only() -> Card:
    [card] = cards().cards
    return card


# --- what each machine tells ---


@in_world("one-card")
def test_a_card_tells_all_its_figures(world: CardWorld) -> None:
    seen = cards()
    assert (seen.driver, seen.cuda, seen.problem) == ("580.95.05", (13, 0), "")
    card = only()
    assert card.name == "NVIDIA GeForce RTX 4090"
    assert card.uuid.startswith("GPU-")
    assert card.total_bytes == 24_564 * MIB
    assert card.used_bytes == 18_211 * MIB
    assert card.reserved_bytes == 431 * MIB
    assert card.free_bytes == (24_564 - 18_211 - 431) * MIB
    assert (card.utilization_percent, card.temperature_c) == (87, 64)
    assert (card.power_watts, card.power_limit_watts) == (310.22, 450.0)
    assert card.capability == (8, 9)
    assert not card.is_divided
    assert not card.is_unified
    assert card.problem == ""


@in_world("two-cards")
def test_two_cards_come_in_the_order_of_the_bus(world: CardWorld) -> None:
    names = [(card.index, card.name) for card in cards().cards]
    assert names == [(0, "NVIDIA A100 80GB PCIe"), (1, "NVIDIA GeForce RTX 3060")]


@in_world("eight-cards")
def test_eight_cards_are_eight(world: CardWorld) -> None:
    seen = cards().cards
    assert [card.index for card in seen] == list(range(8))
    assert len({card.uuid for card in seen}) == 8
    assert {card.capability for card in seen} == {(9, 0)}


@in_world("no-driver")
def test_a_machine_without_a_driver_has_no_cards_and_no_trouble(world: CardWorld) -> None:
    seen = cards()
    assert seen == Cards(at=seen.at)


@in_world("old-driver")
def test_an_old_driver_is_asked_in_the_old_way(world: CardWorld) -> None:
    seen, card = cards(), only()
    assert (seen.driver, seen.cuda) == ("470.256.02", (11, 4))
    assert card.temperature_c == 52
    assert card.total_bytes == 24_268 * MIB
    assert card.used_bytes == 1_422 * MIB
    assert card.reserved_bytes is None  # the old call counts it as used
    assert card.problem == ""


@in_world("old-driver")
def test_an_old_driver_lists_processes_in_the_old_way(world: CardWorld) -> None:
    world.card(0, nvmlDeviceGetComputeRunningProcesses_v2=[[os.getpid(), 5]])
    assert [process.memory_bytes for process in only().processes] == [5]


@pytest.mark.parametrize(
    ("world", "capability"), [("turing", (7, 5)), ("pascal", (6, 1))], indirect=["world"]
)
def test_older_cards_tell_what_cuda_can_do_with_them(
    world: CardWorld, capability: tuple[int, int]
) -> None:
    assert only().capability == capability


@in_world("mig")
def test_a_divided_card_says_so_and_names_its_parts(world: CardWorld) -> None:
    card = only()
    assert card.is_divided
    assert card.instances == ("NVIDIA A100-SXM4-40GB MIG 3g.20gb",) * 2
    assert card.utilization_percent is None
    assert not card.is_unified
    assert card.problem == ""


@in_world("two-cards")
def test_a_card_that_could_be_divided_and_is_not_has_no_parts(world: CardWorld) -> None:
    assert [(card.is_divided, card.instances) for card in cards().cards] == [(False, ())] * 2


@in_world("unified")
def test_a_chip_without_memory_of_its_own_shows_the_machines(world: CardWorld) -> None:
    card = only()
    assert card.is_unified
    assert card.total_bytes == psutil.virtual_memory().total
    assert card.free_bytes is not None
    assert card.total_bytes == (card.used_bytes or 0) + card.free_bytes
    assert card.reserved_bytes is None
    assert card.power_limit_watts is None


@in_world("one-card")
def test_memory_that_is_not_told_for_another_reason_is_not_the_machines(world: CardWorld) -> None:
    for function in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"):
        world.fail(function, "NO_PERMISSION", index=0)
    card = only()
    assert not card.is_unified
    assert card.total_bytes is None


@in_world("wsl")
def test_a_process_of_unknown_size_and_name_is_still_there(world: CardWorld) -> None:
    world.runs(0, [(NO_PID, None)])
    [process] = only().processes
    assert (process.pid, process.name, process.memory_bytes) == (NO_PID, "", None)


# --- processes ---


@in_world("one-card")
def test_processes_have_the_names_that_the_system_gives_them(world: CardWorld) -> None:
    me = psutil.Process()
    world.runs(0, [(me.pid, 3 * GIB), (NO_PID, GIB)])
    mine, other = only().processes
    assert (mine.pid, mine.name, mine.user) == (me.pid, me.name(), me.username())
    assert mine.memory_bytes == 3 * GIB
    assert (other.name, other.user, other.memory_bytes) == ("", "", GIB)


@pytest.mark.parametrize(
    ("compute", "graphics", "held"), [(5, 7, 7), (7, 5, 7), (5, None, 5), (None, 5, 5)]
)
@in_world("one-card")
def test_a_process_that_computes_and_draws_counts_once(
    world: CardWorld, compute: int | None, graphics: int | None, held: int
) -> None:
    world.runs(0, [(os.getpid(), compute)])
    world.runs(0, [(os.getpid(), graphics)], "Graphics")
    assert [process.memory_bytes for process in only().processes] == [held]


# --- each failure costs its own figure ---

# What a call that fails leaves untold. Nothing else may be missing then.
COSTS: dict[str, set[str]] = {
    "nvmlDeviceGetName": set(),  # known from before
    "nvmlDeviceGetUUID": set(),
    "nvmlDeviceGetMemoryInfo": set(),  # the newer call answers
    "nvmlDeviceGetMemoryInfo_v2": {"reserved_bytes"},  # the older one answers
    "nvmlDeviceGetUtilizationRates": {"utilization_percent"},
    "nvmlDeviceGetTemperatureV": set(),
    "nvmlDeviceGetTemperature": set(),
    "nvmlDeviceGetPowerUsage": {"power_watts"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_limit_watts"},
    "nvmlDeviceGetCudaComputeCapability": {"capability"},
    "nvmlDeviceGetMigMode": set(),
    "nvmlDeviceGetMaxMigDeviceCount": set(),
    "nvmlDeviceGetMigDeviceHandleByIndex": set(),
    "nvmlDeviceGetComputeRunningProcesses_v3": set(),
    "nvmlDeviceGetComputeRunningProcesses_v2": set(),
    "nvmlDeviceGetGraphicsRunningProcesses_v3": set(),
    "nvmlDeviceGetGraphicsRunningProcesses_v2": set(),
}
REASONS = ("UNKNOWN", "NOT_SUPPORTED", "NO_PERMISSION", "FUNCTION_NOT_FOUND", "TIMEOUT")


def untold(card: Card) -> set[str]:
    return {name for name, value in card.model_dump().items() if value is None}


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("function", COSTS)
@in_world("one-card")
def test_a_call_that_fails_alone_costs_its_own_figure(
    world: CardWorld, function: str, reason: str
) -> None:
    before = only()
    assert untold(before) == set()
    world.fail(function, reason, index=0)
    card = only()
    assert untold(card) == COSTS[function]
    assert (card.name, card.uuid, card.problem) == (before.name, before.uuid, "")


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_no_function_is_asked_of_a_card_that_is_not_among_those_that_fail(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pynvml

    asked: set[str] = set()

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def asking(*given: Any) -> Any:
            asked.add(name)
            return function(*given)

        return asking

    for name, function in vars(pynvml).copy().items():
        if name.startswith("nvmlDevice"):
            monkeypatch.setattr(pynvml, name, noted(name, function))
    cards()
    assert asked - {"nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"} <= set(COSTS)


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex"]
)
@in_world("mig")
def test_a_divided_card_that_does_not_name_its_parts_is_divided_all_the_same(
    world: CardWorld, function: str
) -> None:
    world.fail(function, index=0)
    card = only()
    assert (card.is_divided, card.instances) == (True, ())


@pytest.mark.parametrize(
    ("function", "field"),
    [("nvmlSystemGetDriverVersion", "driver"), ("nvmlSystemGetCudaDriverVersion", "cuda")],
)
@in_world("two-cards")
def test_a_driver_that_does_not_tell_its_version_still_has_its_cards(
    world: CardWorld, function: str, field: str
) -> None:
    world.fail(function)
    seen = cards()
    assert not getattr(seen, field)
    assert [card.problem for card in seen.cards] == ["", ""]


@in_world("one-card")
def test_a_name_of_the_wrong_kind_is_no_name(world: CardWorld) -> None:
    world.card(0, nvmlDeviceGetName=7, nvmlDeviceGetMigMode=[], nvmlDeviceGetTemperatureV="hot")
    card = only()
    assert card.name == "GPU 0"
    assert card.temperature_c == 64
    assert not card.is_divided


@in_world("one-card")
def test_a_card_that_tells_nothing_is_still_a_card(world: CardWorld) -> None:
    world.become({"cards": [{}]})
    card = only()
    assert (card.name, card.key) == ("GPU 0", "GPU 0")
