"""What a model's shape costs the engine: what it keeps for every token, and what it works with.

The rules of llama.cpp (llama-hparams, llama-kv-cache-iswa, llama-memory-recurrent), read from a
header's keys and tensor shapes instead of per architecture, so that a new architecture built of
known parts is counted rightly. Working memory is what the engine's graph allocator came to on the
architectures in tests/bench/fit_accuracy.py: a fitted rule, checked there against the engine.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, Self

from lib.core.errors import BrokenFile
from lib.core.values import Frozen
from lib.fit.engine_tables import WITHOUT_CACHE
from lib.fit.gguf import Header
from lib.fit.quantizations import REPACKED

MOST_LAYERS = 512  # the engine's own limit
LARGEST = 2**31

# Every how many layers one sees the whole context, where the file does not say.
_PERIODS = {
    architecture: period
    for period, names in {
        2: "gemma2 gpt-oss",
        4: "cohere2 olmo2 exaone4 llama4 afmoe smallthinker laguna",
        5: "gemma3n",
        6: "gemma3 gemma-embedding",
    }.items()
    for architecture in names.split()
}
_WHOLE_LAYER_FIRST = ("smallthinker", "laguna")
_WINDOWS = {"gemma2": 4_096, "llama4": 8_192}
_LAYER = re.compile(r"blk\.(\d{1,6})\.(.+)")

Shapes = Mapping[str, tuple[int, ...]]


class Layer(NamedTuple):
    """One layer; numbers of elements."""

    cached: int  # per token: keys and values; 0 where it keeps none
    window: int  # tokens it looks back; 0 for all
    state: int  # per conversation, whatever its length (recurrent layers)
    convolved: int  # the part of the state that is the convolution's
    working: int  # per token of a batch, while computing


class Geometry(Frozen):
    """A model as the memory need sees it."""

    layers: tuple[Layer, ...]
    working: int  # elements per token that no single layer accounts for
    vocabulary: int
    context_length: int | None  # tokens the model was trained for
    weights_bytes: int
    active_bytes: int  # of the weights, read for every token: all but the experts not chosen
    correction: tuple[int, int, int] = (0, 0, 0)  # bytes more of weights, cache, working memory
    is_estimated: bool = True  # False: the header does not tell what a token costs

    @cached_property
    def kinds(self) -> tuple[tuple[Layer, int], ...]:
        """Layers that are alike, and how many there are of them: few, in most models."""
        return tuple(Counter(self.layers).items())

    def stored_in(self, size_bytes: int) -> Self:
        """The same model in a file of another size, that is, in another quantization."""
        active = self.active_bytes * size_bytes // max(self.weights_bytes, 1)
        return self.model_copy(update={"weights_bytes": size_bytes, "active_bytes": active})


def geometry(header: Header) -> Geometry:
    """The geometry of a whole model; BrokenFile where its header does not tell."""
    facts = _Facts(header)
    return Geometry(
        layers=tuple(_layer(facts, index) for index in range(facts.layers)),
        working=_beside_layers(facts),
        vocabulary=facts.vocabulary,
        context_length=header.context_length,
        weights_bytes=_loaded_bytes(facts) + _twice_loaded_bytes(header),
        active_bytes=_active_bytes(facts),
    )


def weights_alone(header: Header) -> Geometry:
    """What is known of a model whose layers cannot be told: its weights, and nothing else."""
    tokens = header.lengths.get("tokenizer.ggml.tokens", 0)
    return Geometry(
        layers=(),
        working=0,
        vocabulary=tokens,
        context_length=header.context_length,
        weights_bytes=header.weights_bytes,
        active_bytes=header.weights_bytes,
        is_estimated=False,
    )


class _Facts:
    """A header's numbers, each checked, and its tensor shapes by layer."""

    def __init__(self, header: Header) -> None:
        self.header = header
        blocks = self.number("block_count")
        self.layers = blocks - self.number("nextn_predict_layers")  # those only draft
        if not 0 < self.layers <= blocks <= MOST_LAYERS:
            raise BrokenFile(
                f"The file claims {blocks:,} layers: it is no language model that can be loaded.",
                "Choose another file of this model.",
            )
        self.shapes: defaultdict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
        self.loaded = []  # what the engine loads: all but the drafting layers
        for tensor in header.tensors:
            layer, name = _place(tensor.name)
            if layer < self.layers:
                self.shapes[layer][name] = tensor.shape
                self.loaded.append(tensor)
        self.width = self.number("embedding_length")
        self.cached_layers = self.layers - self.number("attention.shared_kv_layers")
        missing = next((index for index in range(self.layers) if self._is_lost(index)), None)
        if missing is not None:
            raise BrokenFile(
                f"The file has no tensors for layer {missing} of {self.layers}.",
                "It may be a part of a divided model: take all parts.",
            )

    def _is_lost(self, layer: int) -> bool:
        """Has it no tensors, though it does something? Some models have layers that do nothing."""
        return layer not in self.shapes and self.number("attention.head_count", layer, 1) > 0

    def number(self, key: str, layer: int = 0, default: int = 0) -> int:
        """A value of the architecture, of one layer where the file lists them."""
        value = self.header.values.get(f"{self.header.architecture}.{key}", default)
        if isinstance(value, tuple):
            value = value[layer] if layer < len(value) else default
        return min(max(int(value), 0), LARGEST) if isinstance(value, int) else default

    @property
    def vocabulary(self) -> int:
        """Tokens."""
        tokens = self.header.lengths.get("tokenizer.ggml.tokens")
        return tokens or self.number("vocab_size")


def _place(name: str) -> tuple[int, str]:
    """A tensor's layer, -1 where it belongs to none, and its name there."""
    match = _LAYER.fullmatch(name)
    return (int(match[1]), match[2].removesuffix(".weight")) if match else (-1, name)


def _layer(facts: _Facts, index: int) -> Layer:
    shapes = facts.shapes[index]
    window = _window(facts, index)
    state, convolved = _state(facts) if _is_recurrent(shapes) else (0, 0)
    return Layer(
        cached=_cached(facts, index, window) if index < facts.cached_layers else 0,
        window=window,
        state=state,
        convolved=convolved,
        working=_working(facts, shapes),
    )


def _is_recurrent(shapes: Shapes) -> bool:
    signs = ("ssm_conv1d", "shortconv.conv", "time_mix_w1")
    return any(sign in shapes for sign in signs)


def _window(facts: _Facts, index: int) -> int:
    """Tokens that this layer looks back: the sliding window, or 0 for the whole context."""
    architecture = facts.header.architecture
    window = facts.number("attention.sliding_window", default=_WINDOWS.get(architecture, 0))
    pattern = facts.header.values.get(f"{architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return window if index < len(pattern) and pattern[index] else 0
    period = pattern if isinstance(pattern, int) else _PERIODS.get(architecture, 1)
    whole = 0 if architecture in _WHOLE_LAYER_FIRST else period - 1
    return 0 if period > 0 and index % period == whole else window


def _cached(facts: _Facts, index: int, window: int) -> int:
    """Elements of keys and values that the layer keeps for a token."""
    if facts.header.architecture in WITHOUT_CACHE:
        return 0
    shapes = facts.shapes[index]
    has_keys = "attn_k" in shapes or "attn_kv_a_mqa" in shapes
    if not has_keys and ("attn_qkv" not in shapes or _is_recurrent(shapes)):
        return 0
    heads = facts.number("attention.head_count", index)
    kv_heads = facts.number("attention.head_count_kv", index, default=heads)
    plain = facts.width // max(heads, 1)
    key = facts.number("attention.key_length", default=plain)
    value = facts.number("attention.value_length", default=plain)
    if window:
        key = facts.number("attention.key_length_swa", default=key)
        value = facts.number("attention.value_length_swa", default=value)
    if facts.number("attention.key_length_mla"):
        value = 0  # latent attention finds the values inside the keys
    return kv_heads * (key + value)


def _state(facts: _Facts) -> tuple[int, int]:
    """Elements of a recurrent layer's state per conversation, and its convolution's part."""
    if convolution := facts.number("shortconv.l_cache"):
        size = (convolution - 1) * facts.width
        return size, size
    if head := facts.number("wkv.head_size"):
        shift = facts.number("token_shift_count", default=2) * facts.width
        return shift + facts.width * head, shift
    inner, state = facts.number("ssm.inner_size"), facts.number("ssm.state_size")
    mixed = inner + 2 * facts.number("ssm.group_count") * state
    convolved = max(facts.number("ssm.conv_kernel") - 1, 0) * mixed
    return convolved + state * inner, convolved


def _working(facts: _Facts, shapes: Shapes) -> int:
    """Elements per token that the layer's costliest step needs."""
    return max(
        _attention_working(facts, shapes),
        _recurrent_working(facts, shapes),
        _dense_working(facts, shapes),
        _expert_working(facts, shapes),
    )


def _attention_working(facts: _Facts, shapes: Shapes) -> int:
    width = facts.width
    if "attn_k_b" in shapes:
        heads = facts.number("attention.head_count")
        absorbed = 2 * facts.number("attention.key_length")
        return heads * (absorbed + facts.number("attention.key_length_mla")) + 5 * width
    queries = _rows(shapes, "attn_q")
    keys_and_values = _rows(shapes, "attn_k") + _rows(shapes, "attn_v")
    return 2 * queries + width + max(4 * width, 2 * keys_and_values)


def _recurrent_working(facts: _Facts, shapes: Shapes) -> int:
    if "shortconv.conv" in shapes:
        return 9 * facts.width
    if "ssm_conv1d" not in shapes:
        return 0
    mixed, projected = _rows(shapes, "ssm_conv1d"), _rows(shapes, "ssm_in")
    inner = _columns(shapes, "ssm_out") if projected else 0
    return 5 * facts.width + 2 * mixed + projected + inner


def _dense_working(facts: _Facts, shapes: Shapes) -> int:
    return 3 * _columns(shapes, "ffn_down") + 5 * facts.width


def _expert_working(facts: _Facts, shapes: Shapes) -> int:
    forward, used = _columns(shapes, "ffn_down_exps"), facts.number("expert_used_count")
    if not forward:
        return 0
    # Their results fit into what their inner steps leave free, unless they are twice as wide.
    results = used * facts.width if facts.width > 2 * forward else 0
    return 3 * used * forward + 5 * facts.width + results


def _beside_layers(facts: _Facts) -> int:
    """Gemma 3n's embeddings per layer and its parallel streams."""
    per_layer = facts.number("embedding_length_per_layer_input") * facts.layers
    streams = max(facts.number("altup.num_inputs") - 1, 0)
    return per_layer + 2 * streams * facts.width


def _rows(shapes: Shapes, name: str) -> int:
    """The length of what the matrix makes of a token."""
    shape = shapes.get(name, ())
    return shape[1] if len(shape) > 1 else 0


def _loaded_bytes(facts: _Facts) -> int:
    return sum(tensor.bytes for tensor in facts.loaded)


def _columns(shapes: Shapes, name: str) -> int:
    """The length of what the matrix takes."""
    shape = shapes.get(name, ())
    return shape[0] if shape else 0


def _twice_loaded_bytes(header: Header) -> int:
    """The embedding matrix, where it is the output matrix too and of a type that is repacked.

    The engine looks tokens up in the file's layout and multiplies in the repacked one.
    """
    by_name = {tensor.name: tensor for tensor in header.tensors}
    embedding = by_name.get("token_embd.weight")
    if embedding is None or "output.weight" in by_name or embedding.type not in REPACKED:
        return 0
    return embedding.bytes


def _active_bytes(facts: _Facts) -> int:
    """Bytes of the weights that one token reads; of the embedding matrix it reads one row."""
    names = {tensor.name for tensor in facts.loaded}
    used, experts = facts.number("expert_used_count"), facts.number("expert_count")
    active = 0
    for tensor in facts.loaded:
        if tensor.name.endswith("token_embd.weight") and "output.weight" in names:
            continue
        is_expert = "_exps." in tensor.name and experts
        active += tensor.bytes * used // experts if is_expert else tensor.bytes
    return active
