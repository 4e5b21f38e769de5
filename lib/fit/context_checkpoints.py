"""The copies that llama.cpp keeps of what cannot be wound back: sliding windows, recurrent state.

Without one, a chat that goes on from an earlier place is read again from its beginning. A copy is
made while a prompt is read, and taken by the number that `--ctx-checkpoints` allows for each slot.
Seen with llama.cpp of 2026-10 (its log says `created context checkpoint 3 of 4 (…, size = …)`): one
has the whole state of the recurrent layers, and of a window's cache the tokens inside the window.
"""

from lib.fit.architecture import Kinds

MOST = 4  # a slot; the engine's own 32 would be the only memory that no budget knows of
BUDGET_BYTES = 512 * 2**20  # of all slots, as far as one for each of them is less
_STATE_BYTES = 4  # an element


def number(kinds: Kinds, slots: int, element_bytes: float) -> int:
    """How many a slot may keep: fewer of large ones, and always one."""
    largest = max((layer.window for layer, _ in kinds), default=0)
    one = slots * _one_bytes(kinds, largest, element_bytes)
    return max(1, min(MOST, BUDGET_BYTES // max(one, 1)))


def total_bytes(kinds: Kinds, context: int, slots: int, element_bytes: float) -> int:
    """What they take at most with so many tokens of context in each slot."""
    one = _one_bytes(kinds, context, element_bytes)
    return number(kinds, slots, element_bytes) * slots * one


def _one_bytes(kinds: Kinds, context: int, element_bytes: float) -> int:
    states = sum(layer.state * count for layer, count in kinds)
    inside = sum(
        layer.cached * min(layer.window, context) * count for layer, count in kinds if layer.window
    )
    return round(states * _STATE_BYTES + inside * element_bytes)
