"""What a repository of safetensors is, from its config.json and the sums of its tensors.

Weights are counted by the bytes of the tensors, which is exact for every format; parameters by
unpacking what the formats pack: eight numbers of 4 bits lie in one of 32.
"""

from collections.abc import Mapping
from typing import Any

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.core.words import count
from lib.fit import vllm_architectures as known
from lib.fit.context_length import context_length
from lib.fit.layer_caches import Kind, LayerCache, layer_caches
from lib.fit.model_config import ModelConfig
from lib.fit.tensor_sums import Part, Row, Sums
from lib.fit.weight_formats import Quantization, quantization_of

CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
EXTRA_CONFIGS = ("hf_quant_config.json", "quantize_config.json", GENERATION_CONFIG)
BUILT_IN = "Choose a model whose architecture vLLM has built in."

_FLOATS = ("F64", "F32", "F16", "BF16")
_PACKED = ("I32", "U32", "U8")  # where a quantized model's weights lie packed
_LOADED_BYTES = 2  # of an unquantized number on the card: vLLM loads 32-bit weights as 16-bit ones
_SEEING = ("vision_config", "vision_encoder", "visual", "vit_config", "img_processor", "mm_vision")
_EXPERTS = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts")
_USED_EXPERTS = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk")


class Shape(Frozen):
    """The sizes that the memory for working depends on."""

    hidden: int
    intermediate: int  # of a dense layer; of one expert in a model of experts
    used_experts: int = 0  # by one token; 0 for a dense model
    heads: int = 1
    vocabulary: int = 0
    vision_hidden: int = 0
    vision_intermediate: int = 0
    image_patches: int = 0  # of the largest image
    image_tokens: int = 0  # that it becomes


class Weights(Frozen):
    """Bytes of the weights as they lie on a card, by how they can be treated there."""

    quantizable: int  # could be halved when they are loaded; 0 where they are quantized already
    others: int  # embeddings, output, scales, what is quantized
    towers: int  # not loaded where images and sounds are switched off

    @property
    def total(self) -> int:
        """All that is loaded."""
        return self.quantizable + self.others + self.towers


class Checkpoint(Frozen):
    """A repository of safetensors as the memory need sees it."""

    model_type: str
    architecture: str
    dtype: str  # of the unquantized part: bfloat16, float16, float32
    parameters: int
    active_parameters: int  # that one token is multiplied with
    file_bytes: int  # of all tensors in the files
    weights: Weights
    quantization: Quantization | None
    layers: int
    caches: tuple[LayerCache, ...]
    context_length: int  # tokens that may be asked for
    own_context: int  # tokens that an engine takes by itself
    shape: Shape
    experts: int
    has_vision: bool
    most_new_tokens: int = 0  # that the author caps every answer at; 0 for no cap

    @property
    def bits_per_weight(self) -> float:
        """What a parameter takes in the files, scales included."""
        return self.file_bytes * 8 / max(self.parameters, 1)

    def kv_bytes_per_token(self, element_bytes: float = 2.0) -> int:
        """What one more token costs while no window is full, on one card."""
        return sum(cache.layers * cache.token_bytes(element_bytes) for cache in self.caches)

    @property
    def grows_without_end(self) -> bool:
        """Do some layers keep every token?"""
        return any(cache.kind in (Kind.FULL, Kind.LATENT) for cache in self.caches)

    @property
    def state_bytes(self) -> int:
        """What one conversation keeps whatever its length, on one card."""
        return sum(cache.layers * cache.states * cache.state_bytes for cache in self.caches)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before it is served, each a sentence."""
        notes = [self.quantization.note] if self.quantization and self.quantization.note else []
        if self.most_new_tokens:
            notes.append(
                f"Its author caps every answer at {count(self.most_new_tokens, 'token')}"
                " (generation_config.json)."
            )
        if self.own_context < self.context_length:
            notes.append(
                f"By itself it takes {self.own_context:,} tokens of context, and"
                f" {self.context_length:,} where that is asked for."
            )
        return tuple(notes)


def read_checkpoint(
    config: Mapping[str, Any], sums: Sums, extra: Mapping[str, Mapping[str, Any]] | None = None
) -> Checkpoint:
    """The facts of a repository; `extra` holds its other configurations by their files' names.

    BadInput where vLLM 0.33 cannot serve it, with a sentence for each reason.
    """
    extra, values = extra or {}, ModelConfig(config)
    check_servable(values)
    quantization = quantization_of(values, extra)
    generation = ModelConfig(extra.get(GENERATION_CONFIG, {}))
    lengths = context_length(values)
    parameters = _parameters(sums, quantization, *_COUNTED)
    return Checkpoint(
        model_type=values.model_type,
        architecture=values.architectures[0],
        dtype=_dtype(values, sums),
        parameters=parameters,
        active_parameters=parameters - _idle_parameters(values, sums, quantization),
        file_bytes=sums.bytes,
        weights=_weights(values, sums, quantization),
        quantization=quantization,
        layers=values.layers,
        caches=layer_caches(values),
        context_length=lengths.largest,
        own_context=lengths.by_itself,
        shape=_shape(values),
        experts=values.number(*_EXPERTS),
        has_vision=_has_vision(values),
        most_new_tokens=generation.number("max_new_tokens"),
    )


def check_servable(config: ModelConfig) -> None:
    """BadInput for what vLLM 0.33 has no code for, and for what does not write text."""
    names = config.architectures
    if not names:
        raise BadInput(
            "Its config.json names no architecture, so that nothing knows how to run it.",
            "Choose a repository of a whole language model.",
        )
    if not any(name in known.WRITES_TEXT for name in names):
        raise _unservable(names[0], config)
    if "AutoConfig" in config.part("auto_map").whole and _is_undescribed(names[0], config):
        raise _own_code(names[0])
    if not config.layers or not config.hidden:
        raise BadInput(
            "Its config.json does not say how many layers it has or how wide they are.",
            "Choose another repository of this model.",
        )


def _is_undescribed(name: str, config: ModelConfig) -> bool:
    """Does vLLM have the model, and nobody but its author a reader of its config.json?"""
    kind = config.whole.get("model_type")
    return name in known.NOT_IN_TRANSFORMERS and kind not in known.DESCRIBED


def _own_code(name: str) -> BadInput:
    return BadInput(
        f"{name} runs only with code that comes with the model, and Berth runs no such code.",
        BUILT_IN,
    )


def _unservable(name: str, config: ModelConfig) -> BadInput:
    if config.value("auto_map"):
        return _own_code(name)
    if name in known.MEASURES or name in known.TRANSCRIBES:
        what = "measures texts" if name in known.MEASURES else "reads or transcribes"
        return BadInput(
            f"{name} {what} instead of writing answers.", "Choose a model made for conversations."
        )
    if name in known.DRAFTS:
        return BadInput(
            f"{name} only drafts for another model.", "Choose the model that it drafts for."
        )
    if name in known.LAST_VERSION:
        return BadInput(
            f"{name} left vLLM after {known.LAST_VERSION[name]}.",
            "Choose a newer model, or its GGUF for this machine's processor.",
        )
    if name in known.PLUGIN_ONLY:
        return BadInput(f"vLLM runs {name} only with a plugin.", BUILT_IN)
    return BadInput(f"vLLM 0.33 does not know the architecture {name}.", BUILT_IN)


_COUNTED = (Part.LAYERS, Part.EXPERTS, Part.EMBEDDING, Part.HEAD, Part.TOWER)


def _parameters(sums: Sums, quantization: Quantization | None, *parts: Part) -> int:
    """The numbers in these parts, packed ones unpacked."""
    return sum(_numbers(row, quantization) for row in sums.of(*parts))


def _numbers(row: Row, quantization: Quantization | None) -> int:
    if quantization is None or row.dtype not in _PACKED:
        return row.elements
    return round(row.bytes * 8 / quantization.bits)


def _idle_parameters(config: ModelConfig, sums: Sums, quantization: Quantization | None) -> int:
    """Those that one token leaves out: all experts but the few it uses, and all rows but one."""
    experts, used = config.number(*_EXPERTS), config.number(*_USED_EXPERTS)
    idle = _parameters(sums, quantization, Part.TOWER)
    if sums.of(Part.HEAD):
        idle += _parameters(sums, quantization, Part.EMBEDDING)
    if experts and 0 < used < experts:
        idle += _parameters(sums, quantization, Part.EXPERTS) * (experts - used) // experts
    return idle


def _weights(config: ModelConfig, sums: Sums, quantization: Quantization | None) -> Weights:
    """What is loaded: not what only drafts, nor an output matrix that is the embedding's."""
    others = [Part.EMBEDDING, Part.SCALES]
    if not config.value("tie_word_embeddings") or not sums.of(Part.EMBEDDING):
        others.append(Part.HEAD)
    inner = _loaded(sums, Part.LAYERS, Part.EXPERTS)
    beside = _loaded(sums, *others)
    return Weights(
        quantizable=0 if quantization else inner,
        others=beside + (inner if quantization else 0),
        towers=_loaded(sums, Part.TOWER),
    )


def _loaded(sums: Sums, *parts: Part) -> int:
    """Bytes on the card; scales stay as they are."""
    return sum(
        row.elements * _LOADED_BYTES
        if row.dtype in _FLOATS and row.part != Part.SCALES
        else row.bytes
        for row in sums.of(*parts)
    )


def _dtype(config: ModelConfig, sums: Sums) -> str:
    """As config.json says, else the type that most of the weights have."""
    told = config.text("dtype", "torch_dtype").removeprefix("torch.")
    if told in ("bfloat16", "float16", "float32"):
        return told
    found = next((name for name in sums.by_type() if name in _FLOATS), "BF16")
    return {"F16": "float16", "F32": "float32", "F64": "float32"}.get(found, "bfloat16")


def _has_vision(config: ModelConfig) -> bool:
    return any(isinstance(config.whole.get(name), Mapping) for name in _SEEING) or bool(
        config.part("thinker_config").part("vision_config").whole
    )


def _shape(config: ModelConfig) -> Shape:
    vision = config.part("vision_config")
    if not vision.whole:
        vision = config.part("thinker_config").part("vision_config")
    patches, tokens = _image(config, vision)
    dense = config.number("intermediate_size", "ffn_dim", "n_inner", default=4 * config.hidden)
    return Shape(
        hidden=config.hidden,
        intermediate=config.number("moe_intermediate_size", default=dense),
        used_experts=config.number(*_USED_EXPERTS) if config.number(*_EXPERTS) else 0,
        heads=max(config.heads, 1),
        vocabulary=config.number("vocab_size", "padded_vocab_size"),
        vision_hidden=vision.number("embed_dim", "hidden_size", "width"),
        vision_intermediate=vision.number("intermediate_size", default=4 * vision.hidden),
        image_patches=patches,
        image_tokens=tokens,
    )


def _image(config: ModelConfig, vision: ModelConfig) -> tuple[int, int]:
    """Patches of the largest image, and the tokens that it becomes; zeros for no vision."""
    patch = vision.number("patch_size")
    if not vision.whole or not patch:
        return 0, 0
    merged = max(vision.number("spatial_merge_size", default=1), 1) ** 2
    side = vision.number("image_size")
    patches = (side // patch) ** 2 if side else 65_536  # Qwen's largest, where no size is fixed
    return patches, config.number("mm_tokens_per_image", default=patches // merged)


def described(checkpoint: Checkpoint) -> str:
    """One line for people: `8.0 billion parameters, AWQ, 4 bits, 32 layers`."""
    stored = checkpoint.quantization.label if checkpoint.quantization else checkpoint.dtype
    billions = checkpoint.parameters / 1e9
    return (
        f"{billions:.1f} billion parameters, {shown(stored)}, {count(checkpoint.layers, 'layer')}"
    )
