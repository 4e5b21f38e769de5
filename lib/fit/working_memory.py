"""What vLLM needs on each card besides weights and cache: estimates, and where they come from.

vLLM measures this while it starts, with a batch as large as it may get; nobody can know it before.
The tensors counted here are those that live at the same time in its model files: in a layer the
hidden states twice and what the feed-forward step makes of them, at the end the logits of every
conversation. Held against published logs: Gemma 3 4B, seen at 9.96 GiB with images and 0.65 GiB of
graphs (vLLM's pull request 21489). What it really gave is read from the engine later.
"""

from lib.core.values import Frozen
from lib.fit.checkpoint import Checkpoint, Shape

GIB, MIB = 2**30, 2**20
CONTEXT_BYTES = 7 * GIB // 10  # of CUDA, cuBLAS and NCCL, before vLLM looks at what is free
BESIDE_BYTES = 256 * MIB  # workspaces and what the allocator cannot use
SHARED_BYTES = 512 * MIB  # what several cards need to talk to each other
GRAPH_BYTES_PER_LAYER = 160 * 2**10  # of one captured batch size
LEAST_GRAPH_BYTES = MIB  # vLLM's own floor for the driver's part
LOGIT_BYTES = 2 + 4 + 4 + 4  # per word and conversation: 16 bits, 32 bits, probabilities, sorting
LARGE_CARD, LARGEST_CARD = 70 * GIB, 160 * GIB
CAPTURED_UP_TO = 512


class Batch(Frozen):
    """The most that is computed at a time."""

    tokens: int
    conversations: int


def default_tokens(total_bytes: int, card_name: str) -> int:
    """vLLM's batch for a server on such a card (get_batch_defaults in engine/arg_utils.py)."""
    if total_bytes >= LARGEST_CARD:
        return 16_384
    is_small = "a100" in card_name.lower() or "gb10" in card_name.lower()
    return 8_192 if total_bytes >= LARGE_CARD and not is_small else 2_048


def activation_bytes(
    checkpoint: Checkpoint, batch: Batch, cards: int = 1, with_images: bool = True
) -> int:
    """The peak of what is computed with, on each of so many cards."""
    shape = checkpoint.shape
    peaks = [_layer_bytes(shape, batch.tokens, cards), _logit_bytes(shape, batch, cards)]
    if with_images and shape.image_patches:
        peaks.append(_image_bytes(shape, batch.tokens))
    return max(peaks)


def _layer_bytes(shape: Shape, tokens: int, cards: int) -> int:
    """Hidden states and the feed-forward step, in 16 bits; experts keep their results apart."""
    hidden, inner = shape.hidden, shape.intermediate // cards
    if not shape.used_experts:
        return 2 * tokens * (2 * hidden + 3 * inner)
    first = max(2 * inner, hidden) + max(inner, hidden)
    return 2 * tokens * (3 * hidden + shape.used_experts * first)


def _logit_bytes(shape: Shape, batch: Batch, cards: int) -> int:
    """Every conversation's logits, whole on each card, and the hidden states they come from."""
    states = 2 * batch.tokens * shape.hidden
    return states + LOGIT_BYTES * batch.conversations * shape.vocabulary


def _image_bytes(shape: Shape, tokens: int) -> int:
    """A batch of the largest images in the tower, which every card holds whole; a rough figure."""
    images = max(tokens // max(shape.image_tokens, 1), 1)
    width = 9 * shape.vision_hidden + 2 * shape.vision_intermediate
    return 2 * images * shape.image_patches * width + 2 * tokens * shape.hidden


def graph_bytes(checkpoint: Checkpoint, batch: Batch, cards: int = 1) -> int:
    """The captured graphs: one for each batch size, in pieces and whole."""
    sizes = _captured(2 * batch.conversations, batch.tokens)
    whole = [size for size in sizes if size <= batch.conversations] or sizes[:1]
    each = max(GRAPH_BYTES_PER_LAYER * checkpoint.layers, LEAST_GRAPH_BYTES)
    return (len(sizes) + len(whole)) * each + _layer_bytes(checkpoint.shape, sizes[-1], cards)


def _captured(most: int, tokens: int) -> list[int]:
    """The batch sizes that vLLM captures (_set_cudagraph_sizes in config/vllm.py)."""
    limit = min(max(most, 1), CAPTURED_UP_TO, tokens)
    sizes = [1, 2, 4, *range(8, 256, 8), *range(256, CAPTURED_UP_TO + 1, 16)]
    return [size for size in sizes if size <= limit]


def beside_bytes(cards: int) -> int:
    """What the process takes anyway, once it runs."""
    return BESIDE_BYTES + (SHARED_BYTES if cards > 1 else 0)
