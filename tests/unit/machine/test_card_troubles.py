"""Drivers that do not answer, cards that go and come back, and questions that hang."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lib.machine import card_troubles
from lib.machine import cards as graphics
from lib.machine.cards import Reader, cards
from lib.machine.nvml import Code
from tests.support.cards import CardWorld, in_world, living_in
from tests.support.waiting import until


def sentences(*texts: str) -> bool:
    return all(text.endswith(".") and "None" not in text for text in texts)


# --- the driver does not answer ---

NO_DRIVER = {
    "DRIVER_NOT_LOADED": "sudo modprobe nvidia",
    "LIB_RM_VERSION_MISMATCH": "Restart the machine",
    "FUNCTION_NOT_FOUND": "newer NVIDIA driver",
    "NO_PERMISSION": "ls -l /dev/nvidia*",
    "OPERATING_SYSTEM": "/dev/nvidia*",
    "GPU_IS_LOST": "Restart the machine",
    "IRQ_ISSUE": "Restart the machine",
    "UNKNOWN": "nvidia-smi",
    "TIMEOUT": "nvidia-smi",
}


@pytest.mark.parametrize(("reason", "remedy"), NO_DRIVER.items(), ids=list(NO_DRIVER))
@in_world("one-card")
def test_a_driver_that_does_not_begin_says_why_and_what_to_do(
    world: CardWorld, reason: str, remedy: str
) -> None:
    world.fail("nvmlInit", reason)
    seen = cards()
    assert seen.cards == ()
    assert sentences(seen.problem, seen.fix)
    assert remedy in seen.fix


@pytest.mark.parametrize("reason", NO_DRIVER)
@in_world("one-card")
def test_a_driver_that_cannot_count_says_so_too(world: CardWorld, reason: str) -> None:
    world.fail("nvmlDeviceGetCount", reason)
    seen = cards()
    assert seen.problem
    assert seen.fix
    world.change(nvmlDeviceGetCount=None)
    assert cards().problem == ""


@in_world("mismatch")
def test_a_driver_that_was_mended_is_found_at_the_next_look(world: CardWorld) -> None:
    assert "updated while the machine ran" in cards().problem
    with living_in("two-cards") as other:
        answers = other.answers
    world.become(answers)
    seen = cards()
    assert seen.problem == ""
    assert len(seen.cards) == 2


@in_world("one-card")
def test_a_library_that_somebody_else_has_shut_is_begun_again(world: CardWorld) -> None:
    assert cards().problem == ""
    import pynvml

    pynvml.nvmlShutdown()
    assert cards().problem == ""
    assert cards().cards[0].name == "NVIDIA GeForce RTX 4090"


def test_the_real_module_finds_no_library_or_a_driver_and_raises_in_neither_case() -> None:
    seen = Reader().cards()
    assert seen.at > 0
    assert seen.cards or not seen.problem or sentences(seen.problem, seen.fix)


# --- the part of the driver that is in the kernel ---


def kernel_card(folder: Path, place: str, text: str) -> None:
    (folder / place).mkdir()
    (folder / place / "information").write_text(text)


@in_world("no-driver")
def test_cards_whose_library_is_missing_are_named_in_the_order_of_their_slots(
    world: CardWorld, tmp_path: Path
) -> None:
    kernel_card(tmp_path, "0000:02:00.0", "Model: \t\t NVIDIA L4\nIRQ: 17\n")
    kernel_card(tmp_path, "0000:01:00.0", "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ: 16\n")
    seen = Reader(tmp_path).cards()
    assert [card.name for card in seen.cards] == ["NVIDIA GeForce RTX 4090", "NVIDIA L4"]
    assert "NVIDIA GeForce RTX 4090, NVIDIA L4" in seen.problem
    assert "libnvidia-ml.so.1 is missing" in seen.problem
    assert sentences(seen.problem, seen.fix)


@in_world("no-driver")
def test_a_kernel_that_tells_no_model_still_has_a_card(world: CardWorld, tmp_path: Path) -> None:
    kernel_card(tmp_path, "0000:01:00.0", "")
    (tmp_path / "0000:02:00.0" / "information").mkdir(parents=True)
    assert [card.name for card in Reader(tmp_path).cards().cards] == ["NVIDIA GPU"]


# --- cards that go and come back while Berth runs ---


@in_world("lost-card")
def test_a_card_that_was_never_seen_well_has_its_place_for_a_name(world: CardWorld) -> None:
    well, lost = cards().cards
    assert well.problem == ""
    assert lost.name == "GPU 1"
    assert "fallen off the bus" in lost.problem
    assert sentences(lost.problem, lost.fix)


@pytest.mark.parametrize(
    "answers",
    [
        {"nvmlDeviceGetHandleByIndex": {"error": "GPU_IS_LOST"}},
        {"nvmlDeviceGetPowerUsage": {"error": "GPU_IS_LOST"}},
        {"nvmlDeviceGetPowerUsage": {"error": "RESET_REQUIRED"}},
        {"nvmlDeviceGetHandleByIndex": {"error": "IRQ_ISSUE"}},
        {"nvmlDeviceGetHandleByIndex": {"error": "NO_PERMISSION"}},
        {"nvmlDeviceGetHandleByIndex": {"error": "UNKNOWN"}},
    ],
    ids=str,
)
@in_world("two-cards")
def test_a_card_that_fails_while_berth_runs_keeps_its_name_and_leaves_the_other_alone(
    world: CardWorld, answers: dict[str, Any]
) -> None:
    before = cards().cards
    world.card(1, **answers)
    well, lost = cards().cards
    assert well == before[0]
    assert (lost.name, lost.uuid, lost.index) == (before[1].name, before[1].uuid, 1)
    assert sentences(lost.problem, lost.fix)


@in_world("two-cards")
def test_a_card_that_the_driver_lists_no_more_is_missed_until_it_is_back(world: CardWorld) -> None:
    first, second = cards().cards
    both = world.answers
    world.become({**both, "cards": both["cards"][1:]})
    left, gone = cards().cards
    assert (left.uuid, left.index) == (second.uuid, 0)
    assert (gone.uuid, gone.name) == (first.uuid, first.name)
    assert "is gone" in gone.problem
    assert gone.used_bytes is None
    world.become(both)
    assert [card.problem for card in cards().cards] == ["", ""]


def noted_beginnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one each time that the library is initialized."""
    import pynvml

    begun: list[str] = []
    init = pynvml.nvmlInit

    def noted() -> None:
        begun.append("again")
        init()

    monkeypatch.setattr(pynvml, "nvmlInit", noted)
    return begun


@in_world("one-card")
def test_a_driver_that_failed_as_a_whole_is_begun_afresh(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = noted_beginnings(monkeypatch)
    cards()
    world.fail("nvmlDeviceGetCount", "UNKNOWN")
    assert cards().problem
    world.change(nvmlDeviceGetCount=None)
    assert cards().problem == ""
    assert len(begun) == 2


@in_world("two-cards")
def test_a_driver_that_lost_a_card_is_begun_afresh_but_not_at_every_look(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = noted_beginnings(monkeypatch)
    for _ in range(3):
        cards()
    assert len(begun) == 1
    world.fail("nvmlDeviceGetHandleByIndex", "GPU_IS_LOST", index=1)
    for _ in range(5):
        cards()
    assert len(begun) == 2


# --- a driver that hangs ---


@in_world("two-cards")
def test_a_driver_that_hangs_keeps_nobody_and_is_told_of_with_the_old_figures(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cards()
    monkeypatch.setattr(graphics, "LATE_SECONDS", 0.0)
    utilization = world.answers["cards"][0]["nvmlDeviceGetUtilizationRates"]
    world.card(0, nvmlDeviceGetUtilizationRates={"hangs": True})
    try:
        for _ in range(3):
            seen = cards(0.05)
            assert seen.cards == before.cards
            assert "has not answered for" in seen.problem
            assert sentences(seen.problem, seen.fix)
        looks = [thread for thread in threading.enumerate() if thread.name == "cards"]
        assert len(looks) == 1
    finally:
        world.card(0, nvmlDeviceGetUtilizationRates=utilization)
    assert until(lambda: not cards().problem)


@in_world("two-cards")
def test_a_look_that_takes_a_little_longer_is_not_worth_a_word(world: CardWorld) -> None:
    before = cards()
    world.card(0, nvmlDeviceGetUtilizationRates={"hangs": True})
    try:
        assert cards(0.05) == before
    finally:
        world.card(0, nvmlDeviceGetUtilizationRates={"gpu": 1, "memory": 1})


@in_world("one-card")
def test_many_who_ask_at_once_share_one_look(world: CardWorld) -> None:
    world.card(0, nvmlDeviceGetPowerUsage={"hangs": True})
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(cards, [0.0] * 8))
        assert [thread.name for thread in threading.enumerate()].count("cards") == 1
    finally:
        world.card(0, nvmlDeviceGetPowerUsage=1_000)
    assert until(lambda: cards().cards[0].power_watts) == 1.0


@in_world("one-card")
def test_answers_that_no_card_can_give_are_no_bug_for_whoever_asks(
    world: CardWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.card(0, nvmlDeviceGetCudaComputeCapability=[1, 2, 3])
    seen = cards()
    assert seen.problem == "The graphics cards could not be read."
    assert "could not be read" in caplog.text


# --- the sentences ---


@pytest.mark.parametrize("code", [*Code, 999, 12_345])
def test_every_error_has_a_sentence_and_a_way_out(code: int) -> None:
    for trouble in (card_troubles.of_driver(code), card_troubles.of_card(code)):
        assert sentences(trouble.problem, trouble.fix)


@pytest.mark.parametrize("code", [Code.DRIVER_NOT_LOADED, Code.LIB_RM_VERSION_MISMATCH, 999])
def test_inside_windows_the_driver_is_mended_there(code: int) -> None:
    inside = card_troubles.of_driver(code, in_wsl=True)
    assert inside.problem == card_troubles.of_driver(code).problem
    assert "wsl --shutdown" in inside.fix
    assert "modprobe" not in inside.fix


@pytest.mark.parametrize(
    ("release", "is_inside"),
    [
        ("5.15.167.4-microsoft-standard-WSL2", True),
        ("4.4.0-19041-Microsoft", True),
        ("6.1.0-28-amd64", False),
        ("24.1.0", False),
    ],
)
def test_the_kernels_name_tells_whether_it_runs_inside_windows(
    release: str, is_inside: bool
) -> None:
    assert card_troubles.is_wsl(release) == is_inside
