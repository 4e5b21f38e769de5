"""The slots of this machine to choose from: which cards, what runs there, what is free.

Slot N uses card N where its service names no other, so every card has a slot, used or not.
"""

from collections.abc import Mapping, Sequence

from lib.core.values import Frozen
from lib.engines import all_models
from lib.engines.base import Model
from lib.engines.vllm.places import MOST_SLOTS, Places
from lib.engines.vllm.units import Unit, read_units
from lib.machine.cards import Card, Cards
from lib.slots.check import neighbours

ENGINE = "vllm"


class Slot(Frozen):
    """One slot; without a unit it is free."""

    number: int
    cards: tuple[Card, ...]  # those of its service, else the one of its number
    unit: Unit | None = None
    model: Model | None = None  # what its engine says of itself
    held: Mapping[str, int] = {}  # bytes of each card (by UUID) that its own engine holds

    @property
    def name(self) -> str:
        """What runs there, as clients call it; "" for a free one."""
        return self.unit.served_name if self.unit else ""

    @property
    def is_usable(self) -> bool:
        """Could a model be put on its cards?"""
        return bool(self.cards) and all(map(is_usable, self.cards))

    @property
    def free_bytes(self) -> int:
        """What a model put there could have of the fullest of its cards, its own given back."""
        return min((room_on(card, self.held) for card in self.cards), default=0)


def slots(seen: Cards, places: Places) -> list[Slot]:
    """One for each card, and those beyond that have a service, by number."""
    units = {unit.slot: unit for unit in read_units(places)}
    models = {model.place: model for model in all_models(ENGINE)} if units else {}
    numbers = sorted({*range(min(len(seen.cards), MOST_SLOTS)), *units})
    return [_slot(number, units.get(number), seen.cards, models) for number in numbers]


def first_choice(found: Sequence[Slot]) -> Slot | None:
    """The free one with most room, else the first that could be used; None where none could."""
    usable = [slot for slot in found if slot.is_usable]
    free = [slot for slot in usable if slot.unit is None]
    return max(free, key=lambda slot: slot.free_bytes, default=usable[0] if usable else None)


def is_usable(card: Card) -> bool:
    """Does it answer, whole, and tell what has to be known of it?"""
    has_memory = bool(card.total_bytes) and card.free_bytes is not None
    return not card.problem and not card.is_divided and bool(card.uuid) and has_memory


def room_on(card: Card, given_back: Mapping[str, int]) -> int:
    """Bytes that are free there, once what is given back is."""
    return (card.free_bytes or 0) + given_back.get(card.uuid, 0)


def cards_for(slot: Slot, count: int, all_cards: Sequence[Card]) -> list[Card]:
    """So many cards for one model: the slot's own, then the emptiest like them, then the rest."""
    own = list(slot.cards[:count])
    kind = own[0].name if own else ""
    others = [card for card in all_cards if is_usable(card) and card not in own]
    others.sort(key=lambda card: (card.name != kind, -room_on(card, slot.held)))
    return [*own, *others[: count - len(own)]]


def _slot(
    number: int, unit: Unit | None, every: Sequence[Card], models: Mapping[str, Model]
) -> Slot:
    named = unit.cards if unit else ()
    cards = [card for card in every if card.uuid in named] if named else every[number : number + 1]
    return Slot(
        number=number,
        cards=tuple(cards),
        unit=unit,
        model=models.get(f"slot {number}") if unit else None,
        held={card.uuid: _held(card, number) for card in cards} if unit else {},
    )


def _held(card: Card, number: int) -> int:
    """What the slot's engine holds of the card, where the driver tells."""
    return sum(
        process.memory_bytes or 0
        for process in card.processes
        if neighbours.is_of_slot(process.pid, number)
    )
