"""How vLLM 0.33 divides the memory of its cache, and what fits into it.

The rules of v1/core/kv_cache_planning.py for its ordinary layout: the cache is a pool of blocks of
one size, and a block holds some tokens of one group of layers, one page for each. Layers that keep
the same are of one group; where a model has several kinds, the groups are made equally large, pages
of unequal size are stretched to the largest, and each conversation takes blocks for every group.
"""

from collections.abc import Sequence
from math import ceil, lcm
from typing import NamedTuple

from lib.core.values import Frozen
from lib.fit.layer_caches import Kind, LayerCache

BLOCK_TOKENS = 16
LATENT_BLOCK_TOKENS = 128  # what a latent attention's block is a multiple of beside states
NULL_BLOCKS = 1  # one is never given to a conversation


class Layout(Frozen):
    """On what the division depends besides the model."""

    cards: int = 1
    element_bytes: float = 2.0
    in_flight_tokens: int = 4_096  # two batches: windows keep them besides
    block_tokens: int = BLOCK_TOKENS


class Group(NamedTuple):
    """Layers that share blocks."""

    kind: Kind
    block_tokens: int
    reach: int
    states: int  # that a conversation holds, of a recurrent layer


class Pool(Frozen):
    """A model's cache on each card, divided."""

    groups: tuple[Group, ...]
    block_bytes: int  # of one block, for all layers of a group; 0 where nothing is kept
    layout: Layout

    def blocks_for(self, tokens: int) -> int:
        """Blocks that one conversation of this length takes."""
        return sum(_blocks(group, tokens, self.layout) for group in self.groups)

    def largest_context(self, memory_bytes: int, limit: int) -> int:
        """The longest conversation that fits alone, as vLLM finds it; 0 for none."""
        if not self.block_bytes:
            return limit
        usable = memory_bytes // self.block_bytes - NULL_BLOCKS
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.blocks_for(middle) <= usable else (low, middle - 1)
        return low

    def conversations(self, memory_bytes: int, context: int) -> float:
        """How many conversations of this length fit at a time."""
        blocks = self.blocks_for(context)
        if not self.block_bytes or not blocks:
            return float(memory_bytes > 0)
        return memory_bytes // self.block_bytes / blocks

    def bytes_for(self, context: int, conversations: float = 1) -> int:
        """The memory that so many conversations of this length need."""
        return ceil(self.blocks_for(context) * conversations + NULL_BLOCKS) * self.block_bytes


class _Pages(NamedTuple):
    """Equal layers, with the page that each has in a block."""

    cache: LayerCache
    bytes: int
    block_tokens: int


def divided(caches: Sequence[LayerCache], layout: Layout) -> Pool:
    """The cache of a model whose layers keep this, divided."""
    if not caches:
        return Pool(groups=(), block_bytes=0, layout=layout)
    if all(cache.kind == Kind.STATE for cache in caches):
        # Without attention vLLM does not look for prompts that begin alike.
        caches = [cache.model_copy(update={"states": 1}) for cache in caches]
    block = _block_tokens(caches, layout)
    pages = [_pages(cache, block, layout) for cache in caches]
    if len(pages) == 1 or _are_alike(caches):
        return _one_group(pages, layout)
    return _many_groups(_stretched(pages), layout)


def _block_tokens(caches: Sequence[LayerCache], layout: Layout) -> int:
    """Tokens of a block: beside states so many that a page of attention holds a state."""
    state = max((cache.state_bytes for cache in caches), default=0)
    attention = [cache for cache in caches if cache.kind != Kind.STATE]
    if not state or not attention:
        return layout.block_tokens
    step = layout.block_tokens
    if attention[0].kind == Kind.LATENT:
        step = lcm(step, LATENT_BLOCK_TOKENS)
    token = attention[0].token_bytes(layout.element_bytes, layout.cards)
    return step * ceil(ceil(state / layout.cards) / (step * token))


def _pages(cache: LayerCache, block: int, layout: Layout) -> _Pages:
    if cache.kind == Kind.STATE:
        return _Pages(cache, ceil(cache.state_bytes / layout.cards), block)
    return _Pages(cache, block * cache.token_bytes(layout.element_bytes, layout.cards), block)


def _are_alike(caches: Sequence[LayerCache]) -> bool:
    """Do all need blocks for the same tokens, though of different sizes?"""
    kinds = {
        (Kind.FULL if cache.kind == Kind.LATENT else cache.kind, cache.reach) for cache in caches
    }
    return len(kinds) == 1 and caches[0].kind != Kind.STATE


def _one_group(pages: Sequence[_Pages], layout: Layout) -> Pool:
    return Pool(
        groups=(_group(pages[0]),),
        block_bytes=sum(page.cache.layers * page.bytes for page in pages),
        layout=layout,
    )


def _stretched(pages: Sequence[_Pages]) -> list[_Pages]:
    """All with pages as large as the largest: with more tokens where that goes in, else padded."""
    largest = max(page.bytes for page in pages)
    return [
        page._replace(bytes=largest, block_tokens=page.block_tokens * _times(page, largest))
        for page in pages
    ]


def _times(page: _Pages, largest: int) -> int:
    is_padded = page.cache.kind == Kind.STATE or largest % page.bytes
    return 1 if is_padded else largest // page.bytes


def _many_groups(pages: Sequence[_Pages], layout: Layout) -> Pool:
    """Groups of as many layers as the rarest kind has, or the commonest where that is not far."""
    counts = [page.cache.layers for page in pages]
    size = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    groups = [_group(page) for page in pages for _ in range(ceil(page.cache.layers / size))]
    return Pool(groups=tuple(groups), block_bytes=size * pages[0].bytes, layout=layout)


def _group(page: _Pages) -> Group:
    return Group(page.cache.kind, page.block_tokens, page.cache.reach, page.cache.states)


def _blocks(group: Group, tokens: int, layout: Layout) -> int:
    """Blocks of one group for a conversation of so many tokens."""
    if group.kind == Kind.STATE:
        return group.states
    if group.kind == Kind.WINDOW:
        held = min(group.reach - 1 + layout.in_flight_tokens, tokens)
        return ceil(held / group.block_tokens) + 1
    if group.kind == Kind.CHUNK:
        return ceil(min(group.reach + layout.in_flight_tokens, tokens) / group.block_tokens)
    return ceil(tokens / group.block_tokens)
