"""How much memory a model needs, whether it fits, and in which quantization it fits best.

Need = weights once + cache for the context + working memory + what the process takes anyway; for a
model with windows or recurrent layers the copies of them that the engine keeps; and for one that
sees its projector with what an image is worked on in.
The cache is exact; working memory is a fitted rule (lib/fit/architecture.py); both are held against
the engine's own figures by tests/bench/fit_accuracy.py.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from lib.core.values import Frozen
from lib.core.words import memory
from lib.fit import context_checkpoints
from lib.fit.architecture import Geometry, Kinds
from lib.fit.file_names import Variant
from lib.fit.image_work import Projector
from lib.fit.quantizations import LADDER, LOWEST_BY_ITSELF, USUAL, quality

CACHE_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}  # per element
BATCH_TOKENS = 512  # the engine's n_ubatch
CELL_STEP = 256  # cache sizes are multiples of it
COMFORTABLE, FULL = 0.80, 0.95  # shares of the free memory: between them it fits, but tightly
CONTEXT_STEP = 1_024
LEAST_CONTEXT = 4_096  # no less by itself: a shorter one only where somebody asked for it
FLUENT = 15.0  # tokens a second: about as fast as one reads along
FASTER = 1.5  # so much faster, it is worth a step down in quality
PROCESS_BYTES = 48 * 2**20  # Python, the engine's code, threads
TOKEN_BYTES = 130  # the vocabulary's tables, per token
MOST_KEPT = 4_096  # results: the files of a repository differ by their weights alone
SHAPES_KEPT = 64

_RUNGS = tuple(map(quality, LADDER))


class Load(Frozen):
    """How a model is to be loaded."""

    context: int = Field(default=8_192, ge=1)  # tokens per slot
    slots: int = Field(default=1, ge=1)  # conversations at the same time
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    prompt_cache_bytes: int = Field(default=0, ge=0)
    projector: Projector | None = None  # the file that lets it see
    batch: int = Field(default=BATCH_TOKENS, ge=1)  # tokens worked on at once (n_ubatch)
    reads: bool = False  # it makes vectors of texts or ranks them, and writes none


class Room(Frozen):
    """The machine's memory."""

    free_bytes: int
    total_bytes: int

    def with_more(self, freed_bytes: int) -> "Room":
        """The same once so much more is free."""
        return self.model_copy(update={"free_bytes": self.free_bytes + freed_bytes})


class Need(Frozen):
    """Bytes of memory that a loaded model takes, by what they are for."""

    weights: int
    kv_cache: int  # with the state of recurrent layers
    compute: int
    prompt_cache: int  # earlier prompts, kept so that the same beginning need not be read again
    fixed: int
    projector: int = 0  # what seeing takes: its file, and working memory for an image
    checkpoints: int = 0  # copies of what cannot be wound back, see lib/fit/context_checkpoints.py

    @property
    def total(self) -> int:
        """All of it."""
        model = self.weights + self.kv_cache + self.compute
        return model + self.prompt_cache + self.checkpoints + self.fixed + self.projector


class Verdict(Frozen):
    """Whether a load fits the memory that is free now."""

    word: str  # Fits · Fits with context N · Does not fit
    sentence: str
    need: Need
    share: float  # of the free memory
    fits: bool  # as asked for, context included
    is_tight: bool  # it fits, and leaves little to other programs
    largest_context: int  # that fits, within what the model was trained for; 0 for none


class Choice(Frozen):
    """One variant of a model with its verdict."""

    variant: Variant
    verdict: Verdict
    speed: float = 0.0  # tokens a second at most; 0 where nobody measured

    @property
    def is_poor(self) -> bool:
        """Stored so coarsely that answers suffer: say so before it is chosen."""
        return 0 < self.variant.quality < quality(LOWEST_BY_ITSELF)


def need(model: Geometry, load: Load) -> Need:
    """The memory that a model takes when loaded so."""
    weights, cache, working = model.correction
    seen_by = load.projector
    return Need(
        weights=model.weights_bytes + weights,
        kv_cache=max(0, _cache_bytes(model.kinds, load) + cache),
        compute=max(0, _compute_bytes(model, load) + working),
        prompt_cache=load.prompt_cache_bytes,
        fixed=PROCESS_BYTES + TOKEN_BYTES * model.vocabulary,
        projector=seen_by.bytes + seen_by.image_bytes if seen_by else 0,
        checkpoints=0 if load.reads else _checkpoint_bytes(model.kinds, load),
    )


def checkpoints(model: Geometry, load: Load) -> int:
    """How many copies of a window or a state each slot may keep."""
    return context_checkpoints.number(model.kinds, load.slots, CACHE_BYTES[load.kv_type])


@lru_cache(MOST_KEPT)
def _checkpoint_bytes(kinds: Kinds, load: Load) -> int:
    element_bytes = CACHE_BYTES[load.kv_type]
    return context_checkpoints.total_bytes(kinds, load.context, load.slots, element_bytes)


@lru_cache(MOST_KEPT)
def _cache_bytes(kinds: Kinds, load: Load) -> int:
    """Keys and values of every layer, and the state of recurrent ones as 32-bit floats."""
    elements = sum(layer.cached * _cells(layer.window, load) * count for layer, count in kinds)
    state = sum(layer.state * count for layer, count in kinds)
    return load.slots * round(elements * CACHE_BYTES[load.kv_type] + 4 * state)


def _compute_bytes(model: Geometry, load: Load) -> int:
    return _working_bytes(model.kinds, model.working, model.vocabulary, load)


@lru_cache(MOST_KEPT)
def _working_bytes(kinds: Kinds, working: int, vocabulary: int, load: Load) -> int:
    """What the graph works with for one batch, its attention masks, and the logits.

    One that reads texts and could write plans for the logits of all of a batch.
    """
    batch = _batch_tokens(load)
    works = (
        batch * layer.working + load.slots * (2 * layer.state - layer.convolved)
        for layer, _ in kinds
    )
    layers = max(works, default=0)
    masks = {layer.window: _cells(layer.window, load) for layer, _ in kinds if layer.cached}
    if not masks and load.reads:  # every token of the text looks at every other one
        masks = dict.fromkeys((layer.window for layer, _ in kinds), batch)
    scored = batch if load.reads and any(layer.cached for layer, _ in kinds) else load.slots
    floats = layers + batch * working + scored * vocabulary
    return 4 * floats + 2 * batch * sum(masks.values()) + batch * _selecting_bytes(kinds, load)


def _selecting_bytes(kinds: Kinds, load: Load) -> int:
    """Per token of the batch, where an index picks the tokens to look at.

    A mask of what was picked, and in every layer the numbers of the picked.
    """
    cells = _cells(0, load)
    picked = [(min(cells, layer.selected), count) for layer, count in kinds if layer.selected]
    if not picked:
        return 0
    return 2 * cells + 4 * sum(n * count for n, count in picked) + 2 * max(picked)[0]


def _cells(window: int, load: Load) -> int:
    """Tokens that the cache of one slot holds in a layer."""
    whole = _rounded_up(load.context, CELL_STEP)
    return _rounded_up(min(whole, window + _batch_tokens(load)), CELL_STEP) if window else whole


def _batch_tokens(load: Load) -> int:
    return min(load.batch, load.context * load.slots)


def _rounded_up(number: int, step: int) -> int:
    return -(-number // step) * step


def largest_context(model: Geometry, load: Load, free_bytes: int) -> int:
    """The longest context per slot that fits: the trained one or a multiple of CONTEXT_STEP, or 0.

    Where the file names no trained length, the context asked for is the limit.
    """

    costs = _costs(model, _with_context_1(load))
    room = FULL * free_bytes - model.weights_bytes

    def fits(context: int) -> bool:
        return costs.of(context) <= room

    longest = model.context_length or load.context
    if fits(longest):
        return longest
    low, high = 0, longest // CONTEXT_STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * CONTEXT_STEP) else (low, middle - 1)
    return low * CONTEXT_STEP


class _Costs:
    """What all but the weights takes, by the context: the same for every file of a shape."""

    def __init__(self, shape: Geometry, load: Load) -> None:
        self._shape, self._load = shape, load
        self._known: dict[int, int] = {}

    def of(self, context: int) -> int:
        """In bytes."""
        if context not in self._known:
            load = self._load.model_copy(update={"context": context})
            self._known[context] = need(self._shape, load).total
        return self._known[context]


@lru_cache(SHAPES_KEPT)
def _with_context_1(load: Load) -> Load:
    """What a load is known by whatever its context."""
    return load.model_copy(update={"context": 1})


_known_costs: dict[Any, _Costs] = {}


def _costs(model: Geometry, load: Load) -> _Costs:
    """One for all files of a shape, without a copy of the shape for each of them."""
    key = (model.kinds, model.working, model.vocabulary, model.correction, load)
    found = _known_costs.get(key)
    if found is None:
        if len(_known_costs) >= SHAPES_KEPT:
            _known_costs.clear()
        found = _known_costs[key] = _Costs(model.without_weights(), load)
    return found


@lru_cache(MOST_KEPT)
def verdict(model: Geometry, load: Load, room: Room) -> Verdict:
    """Whether the model fits when loaded so, and if not, what would."""
    asked = need(model, load)
    share = asked.total / max(room.free_bytes, 1)
    largest = largest_context(model, load, room.free_bytes)
    if share <= FULL:
        word = "Fits"
    elif largest:
        word = f"Fits with context {largest:,}"
    else:
        word = "Does not fit"
    return Verdict(
        word=word,
        sentence=_sentence(asked, load, room, largest),
        need=asked,
        share=share,
        fits=share <= FULL,
        is_tight=COMFORTABLE < share <= FULL,
        largest_context=largest,
    )


def _sentence(asked: Need, load: Load, room: Room, largest: int) -> str:
    needs, free = memory(asked.total), memory(room.free_bytes)
    if asked.total <= COMFORTABLE * room.free_bytes:
        return f"Needs about {needs} of the {free} free."
    if asked.total <= FULL * room.free_bytes:
        return f"Needs about {needs} of the {free} free, which leaves little to other programs."
    if largest:
        return f"Context {load.context:,} needs about {needs}, {free} are free."
    if asked.total <= FULL * room.total_bytes:
        return f"Needs about {needs}, {free} are free. Closing other programs would make room."
    return f"Needs about {needs}, and this machine has {memory(room.total_bytes)} in all."


def choices(variants: Sequence[Variant], model: Geometry, load: Load, room: Room) -> list[Choice]:
    """Every variant with its verdict; `model` is the geometry of any one of them."""
    return [
        Choice(variant=variant, verdict=verdict(model.stored_in(variant.bytes), load, room))
        for variant in variants
    ]


def recommend(offered: Sequence[Choice]) -> Choice | None:
    """The best that fits comfortably; else tightly; else with less context. Never below Q3.

    Where the best would write more slowly than one reads, a good one that does not, or that is much
    faster.
    """
    fair = [choice for choice in offered if not choice.is_poor]
    tests: tuple[Callable[[Verdict], bool], ...] = (
        lambda said: said.fits and not said.is_tight,
        lambda said: said.fits,
        lambda said: said.largest_context >= LEAST_CONTEXT,
        lambda said: said.largest_context > 0,
    )
    for test in tests:
        able = [choice for choice in fair if test(choice.verdict)]
        if able:
            return _fluent(max(able, key=lambda choice: _rank(choice.variant)), able)
    return None


def _fluent(best: Choice, able: Sequence[Choice]) -> Choice:
    """The best, or what keeps up with a reader or is much faster, where the best is slow."""
    if not 0 < best.speed < FLUENT:
        return best
    finest, usual = best.variant.quality, quality(USUAL)
    known = [choice for choice in able if choice.variant.is_known]
    good = [choice for choice in known if usual <= choice.variant.quality <= finest]
    fluent = [choice for choice in good if choice.speed >= FLUENT]
    if fluent:
        return max(fluent, key=lambda choice: _rank(choice.variant))
    faster = [choice for choice in good if choice.speed >= FASTER * best.speed]
    return max(faster, key=lambda choice: choice.speed, default=best)


def _rank(variant: Variant) -> tuple[bool, int, bool, bool, float]:
    """Place on the ladder: others stand on the rung below them, unquantized ones under all.

    One whose quality nobody has measured goes before an unquantized one alone, and only where its
    size speaks for it.
    """
    bits = variant.quality
    rungs = sum(bits >= rung for rung in _RUNGS) if bits <= _RUNGS[0] else 0
    is_known = variant.is_known
    return is_known and rungs > 0, rungs, is_known, variant.quantization in LADDER, bits


def nearest(offered: Sequence[Choice], limit: int = 3) -> list[Choice]:
    """The best few that fit, as asked for or with less context: what to offer instead."""
    return [choice for choice in offered if choice.verdict.largest_context][:limit]


def tokens_per_second(model: Geometry, load: Load, bytes_per_second: float) -> float:
    """The most that memory bandwidth allows while one reply is written at full context.

    Small models stay below this.
    """
    return bytes_per_second / bytes_per_token(model, load)


def bytes_per_token(model: Geometry, load: Load) -> int:
    """What is read for every token at full context: the active weights and its slot's cache."""
    alone = load if load.slots == 1 else load.model_copy(update={"slots": 1})
    return max(1, model.active_bytes + _cache_bytes(model.kinds, alone))
