"""Whether a checkpoint fits graphics cards, by vLLM 0.33's own arithmetic, before any download.

vLLM takes a share of each card's whole memory, its utilization, and that much must be free once its
own context stands. From this share go the weights, the peak of what it computes with, graphs and
workspaces; the rest is the cache, which decides context and conversations. Cards that share a model
each hold a part of all of it, and the one with least memory decides.
"""

from collections.abc import Sequence
from math import floor
from typing import Literal

from pydantic import Field

from lib.core.errors import BadInput
from lib.core.values import Frozen
from lib.core.words import count, memory
from lib.fit import card_checks
from lib.fit import working_memory as working
from lib.fit.card_checks import CardRoom
from lib.fit.checkpoint import Checkpoint
from lib.fit.kv_pool import Layout, Pool, divided

DEFAULT_UTILIZATION = 0.92  # vLLM's own
UNIFIED_UTILIZATION = 0.75  # where card and machine share their memory, the machine needs the rest
LEAST_UTILIZATION = 0.05
REPACKED = 1.02  # scales, and layouts that kernels want otherwise
LEAST_CONTEXT = 2_048  # tokens: with less no conversation is worth a card
MUCH = 0.1  # of a card: less is not worth a word
BATCHES_IN_FLIGHT = 2  # one is computed while the next is prepared


class Serving(Frozen):
    """How a checkpoint is to be served; None leaves the choice to the arithmetic."""

    context: int | None = Field(default=None, ge=1)  # tokens; None: as much as fits
    utilization: float | None = Field(default=None, gt=0, le=1)
    max_num_seqs: int = Field(default=64, ge=1)  # conversations at a time
    cards: int = Field(default=1, ge=1)  # that share the model
    batch_tokens: int | None = Field(default=None, ge=1)
    text_only: bool = False  # images and sounds switched off
    kv_dtype: Literal["auto", "fp8"] = "auto"
    quantize: Literal["", "fp8_per_tensor"] = ""  # while it is loaded


class CardVerdict(Frozen):
    """Whether a checkpoint fits, and the numbers of the arithmetic: bytes on each card."""

    word: str  # Fits · Fits with context N · Does not fit
    sentence: str
    fits: bool  # as asked for
    utilization: float  # share of the whole memory, to be passed on
    requested: int  # that share
    weights: int
    activation: int
    graphs: int
    overhead: int
    kv_bytes: int  # what is left for the cache; negative where nothing is
    kv_tokens: int  # of all conversations together
    context: int  # tokens that one conversation can have; 0 where it does not fit
    conversations: float  # of that context at a time
    needs_half: bool  # to be served with --dtype half
    refusals: tuple[str, ...] = ()  # what no memory helps

    @property
    def needed(self) -> int:
        """What is taken before the cache."""
        return self.weights + self.activation + self.graphs + self.overhead


def judge(checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]) -> CardVerdict:
    """The verdict for the first `serving.cards` of these cards together; BadInput for none."""
    rooms = rooms[: serving.cards]
    if not rooms:
        raise BadInput("No graphics card was chosen.", "Choose a slot that has one.")
    room = min(rooms, key=lambda one: one.total_bytes)
    share = min(utilization(one, serving) for one in rooms)
    taken, requested = _taken(checkpoint, serving, room), floor(room.total_bytes * share)
    kv_bytes, refusals = requested - sum(taken.values()), _refusals(checkpoint, serving, rooms)
    pool = pool_of(checkpoint, serving, rooms)
    limit = serving.context or checkpoint.own_context
    context = 0 if refusals else _context(pool, kv_bytes, limit)
    conversations = pool.conversations(kv_bytes, context) if context else 0.0
    verdict = CardVerdict(
        word=_word(context, limit),
        sentence="",
        fits=context == limit or (context > 0 and serving.context is None),
        utilization=share,
        requested=requested,
        **taken,
        kv_bytes=kv_bytes,
        kv_tokens=int(conversations * context),
        context=context,
        conversations=conversations,
        needs_half=card_checks.needs_half(checkpoint, rooms),
        refusals=refusals,
    )
    sentence = _sentence(checkpoint, serving, room, verdict)
    return verdict.model_copy(update={"sentence": sentence})


def _taken(checkpoint: Checkpoint, serving: Serving, room: CardRoom) -> dict[str, int]:
    """What is gone before the cache, on each card, by the names that a verdict has for it."""
    batch, cards = _batch(serving, room), serving.cards
    with_images = not serving.text_only
    return {
        "weights": weights_bytes(checkpoint, serving),
        "activation": working.activation_bytes(checkpoint, batch, cards, with_images),
        "graphs": working.graph_bytes(checkpoint, batch, cards),
        "overhead": working.beside_bytes(cards),
    }


def _context(pool: Pool, kv_bytes: int, limit: int) -> int:
    """The longest context that the memory holds; 0 where that is none of any use."""
    context = pool.largest_context(kv_bytes, limit) if kv_bytes > 0 else 0
    return context if context >= min(LEAST_CONTEXT, limit) else 0


def utilization(room: CardRoom, serving: Serving) -> float:
    """The share of the card to ask vLLM for: what is asked, else the most that can be had now.

    It leaves what CUDA takes first, what other slots on the card have been promised, and where the
    memory is the machine's own a quarter of it.
    """
    if serving.utilization is not None:
        return serving.utilization
    most = UNIFIED_UTILIZATION if room.is_unified else DEFAULT_UTILIZATION
    free = (room.free_bytes - working.CONTEXT_BYTES) / room.total_bytes
    if room.promised:
        most = min(most, 1 - room.promised - 2 * working.CONTEXT_BYTES / room.total_bytes)
    return max(floor(min(most, free) * 100) / 100, 0.0)


def weights_bytes(checkpoint: Checkpoint, serving: Serving) -> int:
    """What the weights take on each card, with what kernels add to scales and layouts."""
    weights = checkpoint.weights
    inner = weights.quantizable // 2 if serving.quantize else weights.quantizable
    towers = 0 if serving.text_only else weights.towers
    return round((inner + weights.others + towers) * REPACKED / serving.cards)


def pool_of(checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]) -> Pool:
    """How the cache would be divided on these cards."""
    is_small = card_checks.has_fp8_cache(checkpoint, serving.kv_dtype == "fp8", rooms)
    layout = Layout(
        cards=serving.cards,
        element_bytes=1.0 if is_small else 2.0,
        in_flight_tokens=BATCHES_IN_FLIGHT * _batch(serving, rooms[0]).tokens,
    )
    return divided(checkpoint.caches, layout)


def _batch(serving: Serving, room: CardRoom) -> working.Batch:
    tokens = serving.batch_tokens or working.default_tokens(room.total_bytes, room.name)
    return working.Batch(tokens=tokens, conversations=serving.max_num_seqs)


def _refusals(
    checkpoint: Checkpoint, serving: Serving, rooms: Sequence[CardRoom]
) -> tuple[str, ...]:
    found = list(
        card_checks.refusals(
            checkpoint,
            rooms,
            context=serving.context,
            quantizes=bool(serving.quantize),
            has_fp8_cache=serving.kv_dtype == "fp8",
        )
    )
    if len(rooms) < serving.cards:
        found.append(f"{count(serving.cards, 'card')} are asked for, {len(rooms)} are here.")
    share = min(utilization(room, serving) for room in rooms)
    found += [wrong for room in rooms if (wrong := _share_refusal(room, share))]
    return tuple(found)


def _share_refusal(room: CardRoom, share: float) -> str:
    """Why this share of the card cannot be had; "" where it can."""
    free = room.free_bytes - working.CONTEXT_BYTES
    asked = room.total_bytes * share
    if share < LEAST_UTILIZATION:
        return f"{room.name} has {memory(max(room.free_bytes, 0))} free, too little for any model."
    if asked > free:
        return (
            f"{share:.0%} of {room.name} are {memory(asked)}, and {memory(max(free, 0))} can be had"
            " now: vLLM would not start."
        )
    if share + room.promised >= 1:
        return (
            f"Other slots on {room.name} have {room.promised:.0%} of it:"
            f" {share:.0%} more is too much."
        )
    return ""


def _word(context: int, limit: int) -> str:
    if context == limit:
        return "Fits"
    return f"Fits with context {context:,}" if context else "Does not fit"


def _sentence(
    checkpoint: Checkpoint, serving: Serving, room: CardRoom, verdict: CardVerdict
) -> str:
    if verdict.refusals:
        return verdict.refusals[0]
    each = " on each card" if serving.cards > 1 else ""
    can_have = f"{memory(verdict.requested)} of {room.name} can be had{each}{_why(room)}"
    if verdict.kv_bytes <= 0:
        return f"It needs about {memory(verdict.needed)} before its cache, and {can_have}."
    left = f"{memory(verdict.weights)} of weights leave {memory(verdict.kv_bytes)} for its cache"
    if not verdict.context:
        return f"{can_have}; {left}{each}, too little for a conversation of any use."
    return f"{left}{each}: {_room_for(checkpoint, serving, verdict)}."


def _why(room: CardRoom) -> str:
    """Why it is not nearly the whole card."""
    if room.is_unified:
        return ", because the machine needs the rest"
    used = room.total_bytes - room.free_bytes
    return f", because {memory(used)} are in use" if used > MUCH * room.total_bytes else ""


def _room_for(checkpoint: Checkpoint, serving: Serving, verdict: CardVerdict) -> str:
    """`about 3.5 conversations of 131,072 tokens at a time, all that the model takes`."""
    number = min(verdict.conversations, serving.max_num_seqs)
    if number < 1.1:
        room = f"one conversation of {verdict.context:,} tokens at a time"
    else:
        shown = (
            f"{number:.1f}" if number < 10 and number != serving.max_num_seqs else f"{number:.0f}"
        )
        room = f"about {shown} conversations of {verdict.context:,} tokens at a time"
    if serving.context:
        is_less = verdict.context < serving.context
        return f"{room}, not of the {serving.context:,} asked for" if is_less else room
    if verdict.context < checkpoint.own_context:
        return f"{room}, where the model itself could do {checkpoint.own_context:,}"
    return f"{room}, all that the model takes"
