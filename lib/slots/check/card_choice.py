"""The cards that a slot uses: named, or those of its own number; and whether they can be used."""

from collections.abc import Iterator, Mapping, Sequence

from lib.core.errors import BadInput, BerthError, EngineError
from lib.fit.card_checks import CardRoom
from lib.machine.cards import Card, Cards
from lib.slots.request import SlotRequest

NO_DRIVER_FIX = (
    "Install it (Ubuntu: sudo ubuntu-drivers install; Debian: sudo apt install nvidia-driver), "
    "restart the machine, then try again. Its processor does without: ./deploy_cpu.sh"
)
STAND_IN = Card(
    index=0,
    uuid="GPU-00000000-0000-0000-0000-000000000000",
    name="a card with 24 GiB",
    total_bytes=24 * 2**30,
    free_bytes=24 * 2**30,
)


def driver(found: Cards) -> Iterator[BerthError]:
    """Does one answer, and see a card?"""
    if found.problem:
        yield EngineError(found.problem, found.fix)
    elif not found.driver:
        yield EngineError("There is no NVIDIA driver on this machine.", NO_DRIVER_FIX)
    elif not found.cards:
        yield EngineError(
            "The NVIDIA driver sees no card.", "Run nvidia-smi, and look whether a card is there."
        )


def chosen(request: SlotRequest, found: Sequence[Card]) -> list[Card]:
    """The cards by their UUIDs, else as many as are wanted from the slot's number on; BadInput."""
    if request.cards:
        return [_named(uuid, found) for uuid in request.cards]
    last = request.slot + request.tensor_parallel
    if last <= len(found):
        return list(found[request.slot : last])
    if request.tensor_parallel > len(found):
        raise BadInput(
            f"{request.tensor_parallel} cards are asked for, and this machine has {len(found)}.",
            f"It has {_listed(found)}. For a model over several machines there is --nodes.",
        )
    wanted = f"card {request.slot}"
    if request.tensor_parallel > 1:
        wanted = f"cards {request.slot} to {last - 1}"
    raise BadInput(
        f"Slot {request.slot} would use {wanted}, and this machine has {_listed(found)}.",
        "Choose another slot, or name a card: --cards GPU-…",
    )


def usable(cards: Sequence[Card]) -> Iterator[BerthError]:
    """What is wrong with each of them."""
    for card in cards:
        where = f"Card {card.index} ({card.name})"
        if card.problem:
            yield EngineError(f"{where}: {card.problem}", card.fix)
        elif card.is_divided:
            yield EngineError(
                f"{where} is divided into parts (MIG), which is not supported yet.",
                f"Choose another card, or undo it: sudo nvidia-smi -i {card.index} -mig 0",
            )
        elif not card.uuid:
            yield EngineError(f"{where} does not tell its UUID.", "Update the NVIDIA driver.")
        elif not card.total_bytes or card.free_bytes is None:
            yield EngineError(f"{where} does not tell its memory.", "Update the NVIDIA driver.")


def rooms(
    cards: Sequence[Card], given_back: Mapping[str, int], promised: Mapping[str, float]
) -> list[CardRoom]:
    """For the arithmetic.

    `given_back` is what the slot's present model holds of each card (by UUID), and `promised` what
    other slots have of it.
    """
    return [
        CardRoom(
            name=card.name,
            total_bytes=card.total_bytes or 0,
            free_bytes=(card.free_bytes or 0) + given_back.get(card.uuid, 0),
            capability=card.capability,
            is_unified=card.is_unified,
            is_divided=card.is_divided,
            promised=promised.get(card.uuid, 0.0),
        )
        for card in cards
    ]


def _named(uuid: str, found: Sequence[Card]) -> Card:
    for card in found:
        if card.uuid.lower() == uuid.lower():
            return card
    raise BadInput(
        f"This machine has no card {uuid}.",
        f"It has {_listed(found)}." if found else "nvidia-smi -L lists those that there are.",
    )


def _listed(found: Sequence[Card]) -> str:
    """`0: NVIDIA L4 (GPU-…), 1: …`."""
    return ", ".join(f"{card.index}: {card.name} ({card.uuid})" for card in found) or "none"
