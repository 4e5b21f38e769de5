"""The slots of a machine: their cards, what runs there, and which one is offered first."""

from pathlib import Path
from typing import Any

import pytest

from lib.engines.vllm.places import Places, unit_name
from lib.machine.cards import Card, Cards
from lib.slots import overview
from lib.slots.check import neighbours
from lib.slots.overview import Slot, cards_for, first_choice, slots

GIB = 2**30


def card(index: int, name: str = "NVIDIA L4", free: int = 20, **more: object) -> Card:
    return Card(
        index=index,
        uuid=f"GPU-{index}",
        name=name,
        total_bytes=24 * GIB,
        used_bytes=(24 - free) * GIB,
        free_bytes=free * GIB,
    ).model_copy(update=more)


def units(root: Path, *found: tuple[int, str]) -> Places:
    """Services with Berth's mark: the slot and the UUIDs of its cards."""
    places = Places(root=root)
    places.units.mkdir(parents=True)
    for number, cards in found:
        mark = f"Slot={number}\nModel=acme/A\nRevision=main\nServedName=a\nCards={cards}\n"
        (places.units / unit_name(number)).write_text(f"[X-Berth]\n{mark}")
    return places


def test_every_card_has_a_slot_and_services_beyond_have_theirs(tmp_path: Path) -> None:
    places = units(tmp_path, (1, ""), (7, "GPU-0"))
    found = slots(Cards(cards=(card(0), card(1))), places)
    assert [(slot.number, slot.name) for slot in found] == [(0, ""), (1, "a"), (7, "a")]
    assert [slot.cards[0].uuid for slot in found] == ["GPU-0", "GPU-1", "GPU-0"]


def test_a_service_whose_card_is_gone_has_none(tmp_path: Path) -> None:
    [slot] = slots(Cards(), units(tmp_path, (0, "GPU-9")))
    assert slot.cards == ()
    assert not slot.is_usable
    assert slot.free_bytes == 0


def test_without_cards_and_services_there_are_no_slots(tmp_path: Path) -> None:
    assert slots(Cards(), units(tmp_path)) == []


def test_what_the_slot_holds_itself_counts_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "is_of_slot", lambda pid, slot: (pid, slot) == (41, 0))
    held = [{"pid": 41, "memory_bytes": 6 * GIB}, {"pid": 42, "memory_bytes": 2 * GIB}]
    busy = Card.model_validate(card(0, free=4).model_dump() | {"processes": held})
    [slot] = slots(Cards(cards=(busy,)), units(tmp_path, (0, "GPU-0")))
    assert slot.free_bytes == 10 * GIB


@pytest.mark.parametrize(
    "wrong",
    [
        {"problem": "It is lost."},
        {"is_divided": True},
        {"uuid": ""},
        {"total_bytes": None},
        {"free_bytes": None},
    ],
)
def test_a_card_that_cannot_be_used_is_never_offered(wrong: dict[str, Any]) -> None:
    bad = Slot(number=0, cards=(card(0, **wrong),))
    assert not bad.is_usable
    assert first_choice([bad]) is None


def test_the_empty_slot_with_most_room_comes_first_then_any_that_can_be_used(
    tmp_path: Path,
) -> None:
    seen = Cards(cards=(card(0, free=22), card(1, free=5), card(2, free=9)))
    found = slots(seen, units(tmp_path, (0, "GPU-0")))
    chosen = first_choice(found)
    assert chosen is not None
    assert chosen.number == 2
    used = first_choice([slot for slot in found if slot.unit])
    assert used is not None
    assert used.number == 0
    assert first_choice([]) is None


def test_cards_that_share_a_model_are_of_one_kind_and_the_emptiest() -> None:
    cards = [card(0), card(1, "NVIDIA A10"), card(2, free=3), card(3, free=23), card(4, uuid="")]
    slot = Slot(number=0, cards=(cards[0],))
    assert [c.index for c in cards_for(slot, 2, cards)] == [0, 3]
    assert [c.index for c in cards_for(slot, 4, cards)] == [0, 3, 2, 1]
    assert [c.index for c in cards_for(slot, 8, cards)] == [0, 3, 2, 1]
    assert overview.ENGINE == "vllm"
