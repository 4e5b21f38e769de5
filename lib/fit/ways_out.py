"""What to offer where a checkpoint does not fit its cards: the nearest ways in which it would."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from lib.core.values import Frozen
from lib.core.words import count, memory
from lib.fit.card_checks import CardRoom, Use, suitability
from lib.fit.card_memory import CardVerdict, Serving, judge
from lib.fit.checkpoint import Checkpoint, Weights
from lib.fit.weight_formats import FP8_FROM, LEAST_CAPABILITY

FOUR_BITS = 4.5  # a weight of AWQ, GPTQ or NVFP4, with its scales
EMPTY = 0.97  # of a card with nothing on it: the driver keeps some
CARDS_TRIED = (2, 4, 8)
CONVERSATIONS_TRIED = (16, 4, 1)


class Change(StrEnum):
    """What is different about a way."""

    CONTEXT = "context"
    TEXT_ONLY = "text_only"
    CONVERSATIONS = "conversations"
    SMALL_CACHE = "small_cache"
    SMALL_WEIGHTS = "small_weights"
    CARDS = "cards"
    FREE_CARD = "free_card"
    REPOSITORY = "repository"


class Way(Frozen):
    """One way in which it would fit."""

    change: Change
    sentence: str
    serving: Serving  # to be asked for instead; for another repository and a freed card the same
    verdict: CardVerdict


def nearest(
    checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom], limit: int = 3
) -> list[Way]:
    """The few smallest changes that help; `rooms` are the chosen cards, then all others."""
    found: list[Way] = []
    for way in _ways(checkpoint, serving, rooms):
        if way.verdict.fits:
            found.append(way)
        if len(found) == limit:
            break
    return found


def _ways(checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]) -> Iterator[Way]:
    """All that could be tried, the least painful first."""
    yield from _same_weights(checkpoint, serving, rooms)
    yield from _smaller_weights(checkpoint, serving, rooms)
    yield from _other_cards(checkpoint, serving, rooms)


def _same_weights(
    checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]
) -> Iterator[Way]:
    now = judge(checkpoint, serving, rooms)
    if serving.context and serving.context > checkpoint.context_length:
        yield _way(Change.CONTEXT, checkpoint, _with(serving, context=None), rooms)
    elif serving.context and now.context:
        yield _way(Change.CONTEXT, checkpoint, _with(serving, context=now.context), rooms)
    if checkpoint.has_vision and not serving.text_only:
        yield _way(Change.TEXT_ONLY, checkpoint, _with(serving, text_only=True), rooms)
    for number in CONVERSATIONS_TRIED:
        if number < serving.max_num_seqs:
            fewer = _with(serving, max_num_seqs=number)
            way = _way(Change.CONVERSATIONS, checkpoint, fewer, rooms)
            yield way
            if way.verdict.fits:
                break
    if serving.kv_dtype == "auto" and _all_have(rooms[: serving.cards], FP8_FROM):
        yield _way(Change.SMALL_CACHE, checkpoint, _with(serving, kv_dtype="fp8"), rooms)


def _smaller_weights(
    checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]
) -> Iterator[Way]:
    chosen = rooms[: serving.cards]
    if not (checkpoint.quantization or serving.quantize) and _all_have(chosen, LEAST_CAPABILITY):
        smaller = _with(serving, quantize="fp8_per_tensor")
        yield _way(Change.SMALL_WEIGHTS, checkpoint, smaller, rooms)
    if checkpoint.quantization is None or any(_cannot_use(checkpoint, room) for room in chosen):
        other = _with(serving, quantize="")
        yield _way(Change.REPOSITORY, in_four_bits(checkpoint), other, rooms)


def _other_cards(
    checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]
) -> Iterator[Way]:
    for cards in CARDS_TRIED:
        if serving.cards < cards <= len(rooms):
            way = _way(Change.CARDS, checkpoint, _with(serving, cards=cards), rooms)
            yield way
            if way.verdict.fits:
                break
    emptied = [
        room.model_copy(update={"free_bytes": round(EMPTY * room.total_bytes), "promised": 0.0})
        for room in rooms
    ]
    yield _way(Change.FREE_CARD, checkpoint, serving, emptied)


def in_four_bits(checkpoint: Checkpoint) -> Checkpoint:
    """The same model as another repository may have it: in AWQ or GPTQ, 4 bits a weight."""
    weights = checkpoint.weights
    inner = weights.quantizable or max(weights.others, checkpoint.parameters * 2)
    others = weights.others if weights.quantizable else 0
    small = Weights(
        quantizable=0, others=others + round(inner * FOUR_BITS / 16), towers=weights.towers
    )
    return checkpoint.model_copy(update={"weights": small, "quantization": None})


def _cannot_use(checkpoint: Checkpoint, room: CardRoom) -> bool:
    return suitability(checkpoint.quantization, room).use == Use.CANNOT


def _way(
    change: Change, checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]
) -> Way:
    verdict = judge(checkpoint, serving, rooms)
    sentence = _SENTENCES[change].format(
        context=verdict.context,
        conversations=count(serving.max_num_seqs, "conversation"),
        weights=memory(verdict.weights),
        cards=count(serving.cards, "card"),
        name=rooms[0].name if rooms else "",
    )
    return Way(change=change, sentence=sentence, serving=serving, verdict=verdict)


_SENTENCES = {
    Change.CONTEXT: "With a context of {context:,} tokens it fits.",
    Change.TEXT_ONLY: "Without images and sounds it fits, with {context:,} tokens of context.",
    Change.CONVERSATIONS: "With {conversations} at a time it fits, each of {context:,} tokens.",
    Change.SMALL_CACHE: "With an 8-bit cache it fits, with {context:,} tokens of context.",
    Change.SMALL_WEIGHTS: "Made 8-bit while it is loaded it takes {weights} and fits, with"
    " {context:,} tokens of context.",
    Change.CARDS: "On {cards} together it fits, with {context:,} tokens of context.",
    Change.FREE_CARD: "On an empty {name} it fits, with {context:,} tokens of context.",
    Change.REPOSITORY: "A repository of this model with 4 bits a weight (AWQ or GPTQ) would take"
    " about {weights} and fit.",
}


def _with(serving: Serving, **changes: object) -> Serving:
    return serving.model_copy(update=changes)


def _all_have(rooms: Sequence[CardRoom], capability: tuple[int, int]) -> bool:
    return all(room.capability is not None and room.capability >= capability for room in rooms)
