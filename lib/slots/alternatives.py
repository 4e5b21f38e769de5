"""What to do where a model does not fit its slot: nearby ways in which it would, as requests."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lib.fit.card_memory import Serving, judge
from lib.fit.ways_out import Change, Way, nearest
from lib.hub.checkpoints import HubCheckpoint
from lib.machine.cards import Card
from lib.slots.check import card_choice
from lib.slots.overview import Slot, cards_for
from lib.slots.request import SlotRequest

MOST_WAYS = 4


class Alternative(NamedTuple):
    """One way. Without a request it is another repository, or a card that has to be freed first."""

    change: Change | None  # None: the same on another slot
    label: str  # for a button
    sentence: str
    request: SlotRequest | None = None


class Situation(NamedTuple):
    """What was asked for, and what there is."""

    request: SlotRequest
    found: HubCheckpoint
    wanted: Serving
    slots: Sequence[Slot]
    promised: dict[int, dict[str, float]]  # by slot: shares of each card that other slots have


def alternatives(now: Situation) -> list[Alternative]:
    """Other slots that hold it as it is, then the smallest changes on this one."""
    here = next((slot for slot in now.slots if slot.number == now.request.slot), None)
    if here is None or not here.is_usable:
        return list(_other_slots(now))
    cards = cards_for(here, len(_all_cards(now)), _all_cards(now))
    uuids = tuple(card.uuid for card in cards)
    rooms = card_choice.rooms(cards, here.held, now.promised.get(here.number, {}))
    ways = nearest(now.found.checkpoint, now.wanted, rooms, MOST_WAYS)
    return [*_other_slots(now), *(_as_alternative(way, now.request, uuids) for way in ways)]


def _all_cards(now: Situation) -> list[Card]:
    return list({card.uuid: card for slot in now.slots for card in slot.cards}.values())


def _other_slots(now: Situation) -> Iterator[Alternative]:
    """Free ones, and only where one card is enough."""
    for slot in now.slots:
        is_other = slot.number != now.request.slot and slot.unit is None and slot.is_usable
        if is_other and now.request.tensor_parallel == 1 and _holds(slot, now):
            name = slot.cards[0].name
            yield Alternative(
                None,
                f"Use slot {slot.number}",
                f"On slot {slot.number} ({name}) it fits as it is.",
                now.request.model_copy(update={"slot": slot.number, "cards": ()}),
            )


def _holds(slot: Slot, now: Situation) -> bool:
    rooms = card_choice.rooms(slot.cards, slot.held, now.promised.get(slot.number, {}))
    return judge(now.found.checkpoint, now.wanted, rooms).fits


def _as_alternative(way: Way, request: SlotRequest, uuids: Sequence[str]) -> Alternative:
    asked, context = way.serving, way.verdict.context
    changes: dict[Change, tuple[str, dict[str, object]]] = {
        Change.CONTEXT: (f"Use context {context:,}", {"context": asked.context}),
        Change.TEXT_ONLY: ("Text only", {"is_text_only": True}),
        Change.CONVERSATIONS: (
            f"{asked.max_num_seqs} at a time",
            {"max_num_seqs": asked.max_num_seqs},
        ),
        Change.SMALL_CACHE: ("8-bit cache", {"kv_cache": "fp8"}),
        Change.SMALL_WEIGHTS: ("8-bit weights", {"quantization": "fp8_per_tensor"}),
        Change.CARDS: (
            f"Use {asked.cards} cards",
            {"tensor_parallel": asked.cards, "cards": tuple(uuids[: asked.cards])},
        ),
    }
    if way.change not in changes:
        label = "Look for a 4-bit version" if way.change == Change.REPOSITORY else ""
        return Alternative(way.change, label, way.sentence)
    label, update = changes[way.change]
    return Alternative(way.change, label, way.sentence, request.model_copy(update=update))
