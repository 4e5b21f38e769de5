"""What no amount of memory helps: a card that cannot use a format, cards that cannot share a model.

The capabilities are those of lib/fit/weight_formats.py. How a model divides among cards is vLLM's
rule: heads, and the squares and groups of quantized weights, must come out whole on every card.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from lib.core.values import Frozen
from lib.core.words import count
from lib.fit.checkpoint import Checkpoint
from lib.fit.layer_caches import Kind
from lib.fit.weight_formats import (
    BF16_FROM,
    FP8_FROM,
    LEAST_CAPABILITY,
    Capability,
    Quantization,
    shown_capability,
)

NOT_IN_FLOAT16 = ("gemma2", "gemma3", "gemma3_text", "glm4")  # their numbers overflow there


class CardRoom(Frozen):
    """A card as the arithmetic sees it.

    `free_bytes` is what is free now, with what a model that is about to be replaced will give back.
    """

    name: str
    total_bytes: int
    free_bytes: int
    capability: Capability | None = None  # None where it is not told
    is_unified: bool = False  # it shares the machine's memory
    is_divided: bool = False  # in parts of its own (MIG)
    promised: float = 0.0  # shares of the whole that other slots on this card have in their units


class Use(StrEnum):
    """How well a card does with a format."""

    NATIVE = "native"
    WORKS = "works"
    CANNOT = "cannot"


class Suitability(Frozen):
    """How well a card does with a format, and why."""

    use: Use
    sentence: str


def suitability(format: Quantization | None, card: CardRoom) -> Suitability:
    """What a card of this capability does with weights of this format; None is 16 bits."""
    label = format.label if format else "16 bits"
    if card.capability is None:
        return Suitability(use=Use.WORKS, sentence=f"Whether {card.name} can use it is not known.")
    has = f"{card.name} has compute capability {shown_capability(card.capability)}"
    least = format.min_capability if format else LEAST_CAPABILITY
    if card.capability < LEAST_CAPABILITY:
        return _cannot(f"{has}; vLLM needs {shown_capability(LEAST_CAPABILITY)} or newer.")
    if card.capability < least:
        return _cannot(f"{label} needs compute capability {shown_capability(least)}; {has}.")
    if format and format.last_capability and card.capability[0] > format.last_capability[0]:
        last = shown_capability(format.last_capability)
        return _cannot(f"{label} has no kernel beyond compute capability {last}; {has}.")
    if format and format.native_from and card.capability < format.native_from:
        native = shown_capability(format.native_from)
        return Suitability(
            use=Use.WORKS,
            sentence=f"{label} is as small here, and faster only from {native} on; {has}.",
        )
    return Suitability(use=Use.NATIVE, sentence=f"{has}, which suits {label}.")


def _cannot(sentence: str) -> Suitability:
    return Suitability(use=Use.CANNOT, sentence=sentence)


def needs_half(checkpoint: Checkpoint, rooms: Sequence[CardRoom]) -> bool:
    """Must it be served with `--dtype half`, because a card cannot compute in bfloat16?"""
    return checkpoint.dtype == "bfloat16" and any(
        room.capability is not None and room.capability < BF16_FROM for room in rooms
    )


def has_fp8_cache(checkpoint: Checkpoint, asked: bool, rooms: Sequence[CardRoom]) -> bool:
    """Will the cache be of 8 bits: asked for, or by the checkpoint where the cards can?"""
    can = all(room.capability is None or room.capability >= FP8_FROM for room in rooms)
    own = checkpoint.quantization is not None and checkpoint.quantization.kv_is_fp8
    return can and (asked or own)


def refusals(
    checkpoint: Checkpoint,
    rooms: Sequence[CardRoom],
    *,
    context: int | None,
    quantizes: bool,
    has_fp8_cache: bool,
) -> tuple[str, ...]:
    """Every reason why it cannot be served so, each a sentence."""
    found = [*_card_refusals(checkpoint, rooms), *_sharing_refusals(checkpoint, len(rooms))]
    if context is not None and context > checkpoint.context_length:
        found.append(
            f"The model allows {checkpoint.context_length:,} tokens of context, not {context:,}."
        )
    if quantizes and checkpoint.quantization:
        found.append(f"It is quantized already ({checkpoint.quantization.label}).")
    if has_fp8_cache and any(_is_below(room, FP8_FROM) for room in rooms):
        found.append(
            f"An 8-bit cache needs compute capability {shown_capability(FP8_FROM)} or newer."
        )
    return tuple(dict.fromkeys(found))


def _is_below(room: CardRoom, capability: Capability) -> bool:
    return room.capability is not None and room.capability < capability


def _card_refusals(checkpoint: Checkpoint, rooms: Sequence[CardRoom]) -> Iterator[str]:
    for room in rooms:
        if room.is_divided:
            yield f"{room.name} is divided into parts (MIG), which Berth cannot use yet."
        suits = suitability(checkpoint.quantization, room)
        if suits.use == Use.CANNOT:
            yield suits.sentence
    if needs_half(checkpoint, rooms) and checkpoint.model_type in NOT_IN_FLOAT16:
        yield (
            f"{rooms[0].name} cannot compute in bfloat16, and {checkpoint.model_type} not in"
            " float16."
        )


def _sharing_refusals(checkpoint: Checkpoint, cards: int) -> Iterator[str]:
    """Why so many cards cannot share it."""
    if cards < 2:
        return
    shape, format = checkpoint.shape, checkpoint.quantization
    among = f"{count(cards, 'card')} cannot share it"
    if shape.heads % cards:
        yield f"{among}: its {shape.heads} attention heads do not divide by {cards}."
    for heads in sorted({c.heads for c in checkpoint.caches if c.kind not in _UNDIVIDED}):
        if heads % cards and cards % heads:
            yield f"{among}: its {heads} heads of keys and values do not divide by {cards}."
    step = max(format.block, format.group_size) if format else 0
    if step > 1 and (shape.intermediate % cards or shape.intermediate // cards % step):
        yield f"{among}: {format.label if format else ''} scales {step} weights together."


_UNDIVIDED = (Kind.LATENT, Kind.STATE)
