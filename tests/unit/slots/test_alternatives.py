"""What is offered where a model does not fit its slot, as requests that would be accepted."""

from collections.abc import Sequence

import pytest

from lib.fit.card_memory import judge
from lib.fit.checkpoint import read_checkpoint
from lib.fit.tensor_sums import summed
from lib.fit.ways_out import Change
from lib.hub.checkpoints import HubCheckpoint
from lib.machine.cards import Card
from lib.slots.alternatives import Alternative, Situation, alternatives
from lib.slots.check import card_choice, model
from lib.slots.overview import Slot
from lib.slots.request import SlotRequest, wished
from tests.support import checkpoint_configs, weight_shapes
from tests.support.safetensors_files import tensors_of

GIB = 2**30
UUID = "GPU-{}0000000-0000-0000-0000-000000000000"


def card(index: int, total: int, free: int) -> Card:
    return Card(
        index=index,
        uuid=UUID.format(index),
        name=f"Card of {total}",
        total_bytes=total * GIB,
        used_bytes=(total - free) * GIB,
        free_bytes=free * GIB,
        capability=(8, 9),
    )


def found(config: checkpoint_configs.Config) -> HubCheckpoint:
    sums = summed(tensors_of(weight_shapes.dense(config)), config["num_hidden_layers"])
    checkpoint = read_checkpoint(config, sums)
    return HubCheckpoint(
        repo="acme/M", sha="0" * 40, checkpoint=checkpoint, files=(), is_stale=False
    )


def offered(
    cards: Sequence[Card], config: checkpoint_configs.Config, **wish: object
) -> list[Alternative]:
    request = wished(**{"model": "acme/M", "slot": 0, **wish})
    slots = [Slot(number=one.index, cards=(one,)) for one in cards]
    wanted = model.serving(request, None)
    return alternatives(Situation(request, found(config), wanted, slots, {}))


def fits(way: Alternative, cards: Sequence[Card], config: checkpoint_configs.Config) -> bool:
    """Would the request be accepted?"""
    request: SlotRequest | None = way.request
    assert request is not None
    chosen = card_choice.chosen(request, cards)
    rooms = card_choice.rooms(chosen, {}, {})
    return judge(found(config).checkpoint, model.serving(request, None), rooms).fits


SMALL, LARGE = checkpoint_configs.QWEN25_7B, checkpoint_configs.LLAMA_70B


def test_a_slot_that_holds_it_as_it_is_comes_first() -> None:
    cards = [card(0, 12, 11), card(1, 48, 47)]
    first = offered(cards, SMALL)[0]
    assert (first.change, first.label) == (None, "Use slot 1")
    assert first.request is not None
    assert first.request.slot == 1
    assert fits(first, cards, SMALL)


def test_a_slot_that_is_taken_is_not_offered() -> None:
    cards = [card(0, 12, 11), card(1, 48, 1)]
    assert "Use slot 1" not in [way.label for way in offered(cards, SMALL)]


@pytest.mark.parametrize(
    ("cards", "config", "change"),
    [
        ([card(0, 12, 11)], SMALL, Change.SMALL_WEIGHTS),
        ([card(index, 80, 79) for index in range(4)], LARGE, Change.CARDS),
    ],
)
def test_each_way_is_a_request_that_fits(
    cards: list[Card], config: checkpoint_configs.Config, change: Change
) -> None:
    ways = {way.change: way for way in offered(cards, config)}
    assert fits(ways[change], cards, config)
    assert ways[change].sentence.endswith(".")


def test_several_cards_are_named_where_their_numbers_do_not_follow() -> None:
    cards = [card(0, 80, 2), *(card(index, 80, 79) for index in (1, 2))]
    [way] = [way for way in offered(cards, LARGE, slot=2) if way.change == Change.CARDS]
    assert way.request is not None
    assert way.request.cards == (UUID.format(2), UUID.format(1))


def test_another_repository_is_no_request() -> None:
    [way] = [w for w in offered([card(0, 12, 11)], SMALL) if w.change == Change.REPOSITORY]
    assert way.request is None
    assert way.label == "Look for a 4-bit version"


def test_a_card_that_cannot_be_used_has_no_ways_of_its_own() -> None:
    broken = card(0, 24, 23).model_copy(update={"problem": "It is lost."})
    assert offered([broken], SMALL) == []
