"""Graphics cards as their driver lists them."""

from pathlib import Path

from lib.machine.cards import nvidia_gpus


def card(folder: Path, place: str, text: str) -> None:
    (folder / place).mkdir()
    (folder / place / "information").write_text(text)


def test_cards_are_named_in_the_order_of_their_slots(tmp_path: Path) -> None:
    card(tmp_path, "0000:02:00.0", "Model: \t\t NVIDIA L4\nIRQ: 17\n")
    card(tmp_path, "0000:01:00.0", "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ: 16\n")
    assert nvidia_gpus(tmp_path) == ["NVIDIA GeForce RTX 4090", "NVIDIA L4"]


def test_a_driver_that_tells_no_model_still_has_a_card(tmp_path: Path) -> None:
    card(tmp_path, "0000:01:00.0", "")
    assert nvidia_gpus(tmp_path) == ["NVIDIA GPU"]


def test_without_a_driver_there_is_no_card(tmp_path: Path) -> None:
    assert nvidia_gpus(tmp_path / "absent") == []
