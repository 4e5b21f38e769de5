"""What a model's shape costs the engine: what it keeps for every token, and what it works with.

The rules of llama.cpp (llama-hparams, llama-kv-cache-iswa, llama-memory-recurrent), read from a
header's keys and tensor shapes instead of per architecture, so that a new architecture built of
known parts is counted rightly. Working memory is what the engine's graph allocator came to on the
architectures in tests/bench/fit_accuracy.py: a fitted rule, checked there against the engine.
"""

from collections import Counter
from functools import cached_property
from typing import NamedTuple, Self

from lib.core.values import Frozen
from lib.fit.engine_tables import WITHOUT_CACHE
from lib.fit.gguf import Header
from lib.fit.layer_work import working
from lib.fit.model_facts import Facts, Shapes
from lib.fit.quantizations import REPACKED

SAME_FILE_BYTES = 4_096  # what may stand behind the last tensor

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


class Layer(NamedTuple):
    """One layer; numbers of elements."""

    cached: int  # per token: keys and values; 0 where it keeps none
    window: int  # tokens it looks back; 0 for all
    state: int  # per conversation, whatever its length (recurrent layers)
    convolved: int  # the part of the state that is the convolution's
    working: int  # per token of a batch, while computing
    selected: int = 0  # tokens that an index picks, which alone are looked at; 0 for all


Kinds = tuple[tuple[Layer, int], ...]  # layers that are alike, and how many there are


class Geometry(Frozen):
    """A model as the memory need sees it."""

    layers: tuple[Layer, ...]
    working: int  # elements per token that no single layer accounts for
    vocabulary: int
    context_length: int | None  # tokens the model was trained for
    weights_bytes: int  # as loaded: without what is left in the file, with what is loaded twice
    active_bytes: int  # of the weights, read for every token: all but the experts not chosen
    file: "Stored"
    correction: tuple[int, int, int] = (0, 0, 0)  # bytes more of weights, cache, working memory
    is_estimated: bool = True  # False: the header does not tell what a token costs

    @cached_property
    def kinds(self) -> Kinds:
        """Few, in most models."""
        return tuple(Counter(self.layers).items())

    def stored_in(self, file_bytes: int) -> Self:
        """The same model in a file of another size, that is, in another quantization.

        The header has the same vocabulary, and the same share of the tensors is left in the file.
        Twice loaded is nothing: an embedding that is the output matrix too is stored as one that is
        not repacked, unless the file was made to be all of one type, as only its header tells.
        """
        if abs(file_bytes - self.file.bytes) < SAME_FILE_BYTES:
            return self
        _ = self.kinds  # counted once, and copied along
        tensors = max(0, file_bytes - (self.file.bytes - self.file.tensors))
        share = tensors / max(self.file.tensors, 1)
        more = {
            "weights_bytes": round(self.file.loaded * share),
            "active_bytes": round(self.active_bytes * share),
        }
        return self.model_copy(update=more)

    def without_weights(self) -> Self:
        """What is the same for every file of this shape."""
        no_file = Stored(bytes=0, tensors=0, loaded=0)
        return self.model_copy(update={"weights_bytes": 0, "active_bytes": 0, "file": no_file})


class Stored(Frozen):
    """The file, or the files, that a geometry was read from; in bytes."""

    bytes: int  # of all of it
    tensors: int
    loaded: int  # of the tensors: all but those that the engine leaves in the file


def geometry(header: Header) -> Geometry:
    """The geometry of a whole model; BrokenFile where its header does not tell."""
    facts = Facts(header)
    return Geometry(
        layers=tuple(_layer(facts, index) for index in range(facts.layers)),
        working=_beside_layers(facts),
        vocabulary=facts.vocabulary,
        context_length=header.context_length,
        weights_bytes=_loaded_bytes(facts) + _twice_loaded_bytes(header),
        active_bytes=_active_bytes(facts),
        file=_stored(header, _loaded_bytes(facts)),
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
        file=_stored(header, header.weights_bytes),
        is_estimated=False,
    )


def _stored(header: Header, loaded: int) -> Stored:
    return Stored(bytes=header.file_bytes, tensors=header.weights_bytes, loaded=loaded)


def _layer(facts: Facts, index: int) -> Layer:
    shapes = facts.shapes[index]
    window = _window(facts, index)
    state, convolved = _state(facts) if _is_recurrent(shapes) else (0, 0)
    return Layer(
        cached=_cached(facts, index, window) if index < facts.cached_layers else 0,
        window=window,
        state=state,
        convolved=convolved,
        working=working(facts, shapes),
        selected=facts.number("attention.indexer.top_k") if "indexer.attn_k" in shapes else 0,
    )


def _is_recurrent(shapes: Shapes) -> bool:
    signs = ("ssm_conv1d", "ssm_conv1d_q", "shortconv.conv", "time_mix_w1")
    return any(sign in shapes for sign in signs)


def _window(facts: Facts, index: int) -> int:
    """Tokens that this layer looks back: the sliding window, or 0 for the whole context."""
    architecture = facts.header.architecture
    window = facts.number("attention.sliding_window", default=_WINDOWS.get(architecture, 0))
    pattern = facts.header.values.get(f"{architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return window if index < len(pattern) and pattern[index] else 0
    period = pattern if isinstance(pattern, int) else _PERIODS.get(architecture, 1)
    whole = 0 if architecture in _WHOLE_LAYER_FIRST else period - 1
    return 0 if period > 0 and index % period == whole else window


def _cached(facts: Facts, layer: int, window: int) -> int:
    """Elements of keys and values that the layer keeps for a token."""
    if facts.header.architecture in WITHOUT_CACHE:
        return 0
    shapes = facts.shapes[layer]
    has_keys = "attn_k" in shapes or "attn_kv_a_mqa" in shapes
    if not has_keys and ("attn_qkv" not in shapes or _is_recurrent(shapes)):
        return 0
    heads = facts.number("attention.head_count", layer)
    kv_heads = facts.number("attention.head_count_kv", layer, default=heads)
    plain = facts.width // max(heads, 1)
    key = facts.number("attention.key_length", default=plain)
    value = facts.number("attention.value_length", default=plain)
    if window:
        key = facts.number("attention.key_length_swa", default=key)
        value = facts.number("attention.value_length_swa", default=value)
    if facts.number("attention.key_length_mla"):
        value = 0  # latent attention finds the values inside the keys
    is_indexed = "indexer.attn_k" in shapes  # it keeps a smaller key besides, to search in
    index = facts.number("attention.indexer.key_length") if is_indexed else 0
    return kv_heads * (key + value) + index


def _state(facts: Facts) -> tuple[int, int]:
    """Elements of a recurrent layer's state per conversation, and its convolution's part."""
    if convolution := facts.number("shortconv.l_cache"):
        size = (convolution - 1) * facts.width
        return size, size
    if head := facts.number("wkv.head_size"):
        shift = facts.number("token_shift_count", default=2) * facts.width
        return shift + facts.width * head, shift
    before = max(facts.number("ssm.conv_kernel") - 1, 0)  # tokens that the convolution still needs
    if length := facts.number("kda.head_dim"):
        inner = facts.number("attention.head_count") * length
        return before * 3 * inner + inner * length, before * 3 * inner
    inner, state = facts.number("ssm.inner_size"), facts.number("ssm.state_size")
    mixed = inner + 2 * facts.number("ssm.group_count") * state
    convolved = before * mixed
    return convolved + state * inner, convolved


def _beside_layers(facts: Facts) -> int:
    """Gemma 3n's embeddings per layer and its parallel streams."""
    per_layer = facts.number("embedding_length_per_layer_input") * facts.layers
    streams = max(facts.number("altup.num_inputs") - 1, 0)
    return per_layer + 2 * streams * facts.width


def _loaded_bytes(facts: Facts) -> int:
    return sum(tensor.bytes for tensor in facts.loaded)


def _twice_loaded_bytes(header: Header) -> int:
    """The embedding matrix, where it is the output matrix too and of a type that is repacked.

    The engine looks tokens up in the file's layout and multiplies in the repacked one.
    """
    by_name = {tensor.name: tensor for tensor in header.tensors}
    embedding = by_name.get("token_embd.weight")
    if embedding is None or "output.weight" in by_name or embedding.type not in REPACKED:
        return 0
    return embedding.bytes


def _active_bytes(facts: Facts) -> int:
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
