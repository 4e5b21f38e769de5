"""How a checkpoint's weights are quantized, and on which cards vLLM 0.33 can use them so.

The least compute capability of each format is vLLM's own (get_min_capability of
model_executor/layers/quantization), raised to 7.5 where the published build has no kernels below.
Where the arithmetic itself runs in the format only from a newer card on, older ones unpack the
weights while they multiply: as small, and no faster than others.
"""

from collections.abc import Mapping
from typing import Any

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit.model_config import ModelConfig

Capability = tuple[int, int]

LEAST_CAPABILITY: Capability = (7, 5)  # below, the published build has no kernels at all
BF16_FROM: Capability = (8, 0)
FP8_FROM: Capability = (8, 9)

OTHER_REPOSITORY = "Choose the original repository, or one in FP8, AWQ, GPTQ or NVFP4."


class Quantization(Frozen):
    """How weights are stored."""

    method: str  # as vLLM names it
    label: str  # for people: `AWQ, 4 bits`
    bits: int  # of one weight, without its scales
    group_size: int = 0  # weights that share a scale along the input; 0 where that does not matter
    block: int = 0  # both sides of a square that shares a scale; 0 for none
    min_capability: Capability = LEAST_CAPABILITY
    native_from: Capability | None = None  # from here the arithmetic runs in the format
    last_capability: Capability | None = None  # newer cards have no kernel for it
    kv_is_fp8: bool = False  # the checkpoint asks for an 8-bit cache
    is_experts_only: bool = False

    @property
    def note(self) -> str:
        """What a person should know, in a sentence; "" for nothing."""
        if self.native_from and self.native_from > self.min_capability:
            return f"Faster from compute capability {shown_capability(self.native_from)} on."
        return "The experts alone are quantized." if self.is_experts_only else ""


def shown_capability(capability: Capability) -> str:
    """`8.9`, as NVIDIA writes it."""
    return f"{capability[0]}.{capability[1]}"


def quantization_of(
    config: ModelConfig, extra: Mapping[str, Mapping[str, Any]]
) -> Quantization | None:
    """How the checkpoint is quantized; None for one that is not, BadInput where vLLM cannot use it.

    `extra` holds what hf_quant_config.json and quantize_config.json say, by the file's name.
    """
    declared = config.part("quantization_config", "compression_config").whole
    if isinstance(config.value("quantization"), Mapping) and not declared.get("quant_method"):
        raise BadInput("The weights are in MLX's format, for Apple's chips.", OTHER_REPOSITORY)
    if declared:
        return _declared(ModelConfig(declared))
    if "hf_quant_config.json" in extra:
        return _modelopt(ModelConfig(extra["hf_quant_config.json"]))
    if "quantize_config.json" in extra:
        return _gptq(ModelConfig(extra["quantize_config.json"]))
    return None


def _declared(config: ModelConfig) -> Quantization | None:
    producer = config.part("producer").text("name")
    method = config.text("quant_method").lower().replace("_", "-")
    if producer == "modelopt" or method.startswith("modelopt"):
        return _modelopt(config)
    if method in _READERS:
        return _READERS[method](config)
    if method.startswith("bitsandbytes") or config.value("load_in_4bit", "load_in_8bit"):
        raise BadInput(
            "The weights are quantized with bitsandbytes, which vLLM reads only with a plugin.",
            OTHER_REPOSITORY,
        )
    raise BadInput(
        f"The weights are quantized as “{shown(method) or 'something unnamed'}”, which vLLM 0.33"
        " cannot use.",
        OTHER_REPOSITORY,
    )


def _awq(config: ModelConfig) -> Quantization:
    bits = config.number("bits", "w_bit", default=4)
    if bits != 4:
        raise BadInput(f"vLLM reads AWQ with 4 bits alone, and this has {bits}.", OTHER_REPOSITORY)
    return Quantization(
        method="awq",
        label="AWQ, 4 bits",
        bits=4,
        group_size=config.number("group_size", "q_group_size", default=128),
    )


def _gptq(config: ModelConfig) -> Quantization:
    bits, is_symmetric = config.number("bits", default=4), config.value("sym") is not False
    if bits not in (4, 8) or not is_symmetric:
        kind = f"{bits} bits" if is_symmetric else "asymmetric scales"
        raise BadInput(
            f"This GPTQ checkpoint has {kind}; vLLM 0.33 reads symmetric ones of 4 or 8 bits.",
            OTHER_REPOSITORY,
        )
    return Quantization(
        method="gptq",
        label=f"GPTQ, {bits} bits",
        bits=bits,
        group_size=config.number("group_size", default=128),
    )


def _auto_round(config: ModelConfig) -> Quantization:
    bits = config.number("bits", default=4)
    return Quantization(
        method="inc",
        label=f"AutoRound, {bits} bits",
        bits=bits,
        group_size=config.number("group_size", default=128),
    )


def _fp8(config: ModelConfig) -> Quantization:
    block = config.list("weight_block_size")
    return Quantization(
        method="fp8",
        label="FP8 in blocks" if block else "FP8",
        bits=8,
        block=block[0] if block and type(block[0]) is int else 0,
        native_from=FP8_FROM,
    )


def _fbgemm(config: ModelConfig) -> Quantization:
    return Quantization(
        method="fbgemm_fp8", label="FP8", bits=8, min_capability=(8, 0), native_from=FP8_FROM
    )


def _mxfp4(config: ModelConfig) -> Quantization:
    return Quantization(
        method="mxfp4",
        label="MXFP4, 4 bits",
        bits=4,
        min_capability=(8, 0),
        native_from=(10, 0),
        is_experts_only=True,
    )


def _modelopt(config: ModelConfig) -> Quantization:
    inner = config.part("quantization")
    algorithm = (inner.text("quant_algo") or config.text("quant_algo")).upper()
    cache = inner.value("kv_cache_quant_algo") or config.value(
        "kv_cache_quant_algo", "kv_cache_scheme"
    )
    found = _MODELOPT.get(algorithm)
    if found is None:
        raise BadInput(
            f"The weights are quantized by ModelOpt as “{shown(algorithm) or 'something unnamed'}”,"
            " which vLLM 0.33 cannot use.",
            OTHER_REPOSITORY,
        )
    return found.model_copy(update={"kv_is_fp8": _is_fp8_cache(cache)})


_MODELOPT = {
    "NVFP4": Quantization(
        method="modelopt_fp4", label="NVFP4, 4 bits", bits=4, native_from=(10, 0)
    ),
    "MIXED_PRECISION": Quantization(
        method="modelopt_mixed", label="NVFP4 and FP8", bits=4, native_from=(10, 0)
    ),
    "MXFP8": Quantization(
        method="modelopt_mxfp8",
        label="MXFP8",
        bits=8,
        min_capability=BF16_FROM,
        native_from=(10, 0),
    ),
} | {
    name: Quantization(
        method="modelopt", label="FP8", bits=8, min_capability=BF16_FROM, native_from=FP8_FROM
    )
    for name in ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO")
}


def _compressed(config: ModelConfig) -> Quantization | None:
    """By the first group of layers; vLLM decides for each group alike."""
    groups = config.value("config_groups")
    if config.text("quantization_status") == "frozen" and not groups:
        return None
    group = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    if not isinstance(group, Mapping):
        raise BadInput(
            "Its compressed-tensors configuration does not say how the weights are stored.",
            OTHER_REPOSITORY,
        )
    found = _scheme(
        ModelConfig(group).part("weights"), ModelConfig(group).part("input_activations")
    )
    return found.model_copy(update={"kv_is_fp8": _is_fp8_cache(config.value("kv_cache_scheme"))})


def _scheme(weights: ModelConfig, inputs: ModelConfig) -> Quantization:
    """The scheme that vLLM chooses for these two, as its compressed_tensors.py does."""
    bits, group = weights.number("num_bits", default=16), weights.number("group_size")
    is_float, input_bits = weights.text("type") == "float", inputs.number("num_bits")
    name = f"W{bits}A{input_bits or 16}"
    common = {"method": "compressed-tensors", "bits": bits}
    if is_float and bits == 4:
        kind = "MXFP4" if group == 32 else "NVFP4"
        least = BF16_FROM if group == 32 else LEAST_CAPABILITY
        return Quantization(
            **common, label=f"{kind}, 4 bits", min_capability=least, native_from=(10, 0)
        )
    if is_float:
        native = FP8_FROM if input_bits else None
        return Quantization(**common, label=f"FP8 ({name})", native_from=native)
    if input_bits == 8 and bits == 8:
        # vLLM's kernel of these refuses from 10.0 on: scaled_mm_helper.hpp.
        return Quantization(**common, label=f"INT8 ({name})", last_capability=(9, 0))
    if input_bits and inputs.text("type") == "float":
        return Quantization(**common, label=f"INT{bits} ({name})", min_capability=(9, 0))
    if input_bits:
        raise BadInput(
            f"The weights are compressed as {name}, which vLLM uses on processors alone.",
            OTHER_REPOSITORY,
        )
    return Quantization(**common, label=f"INT{bits} ({name})", group_size=group)


def _quark(config: ModelConfig) -> Quantization:
    weights = config.part("global_quant_config").part("weight")
    dtype = weights.text("dtype") or "fp8_e4m3"
    bits = 4 if "4" in dtype.split("_")[0] else 8
    least = BF16_FROM if bits == 4 else LEAST_CAPABILITY
    return Quantization(
        method="quark", label=f"Quark, {shown(dtype)}", bits=bits, min_capability=least
    )


def _torchao(config: ModelConfig) -> Quantization:
    bits = 4 if "4" in str(config.value("quant_type"))[:500] else 8
    return Quantization(method="torchao", label=f"torchao, {bits} bits", bits=bits)


def _experts_int8(config: ModelConfig) -> Quantization:
    return Quantization(
        method="experts_int8",
        label="INT8 experts",
        bits=8,
        min_capability=BF16_FROM,
        is_experts_only=True,
    )


def _is_fp8_cache(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.get("num_bits") == 8 and value.get("type") == "float"
    return isinstance(value, str) and value.upper() == "FP8"


_READERS = {
    "awq": _awq,
    "awq-marlin": _awq,
    "gptq": _gptq,
    "gptq-marlin": _gptq,
    "auto-round": _auto_round,
    "intel/auto-round": _auto_round,
    "inc": _auto_round,
    "fp8": _fp8,
    "deepseek-v4-fp8": _fp8,
    "fbgemm-fp8": _fbgemm,
    "mxfp4": _mxfp4,
    "mxfp8": lambda config: _MODELOPT["MXFP8"],
    "compressed-tensors": _compressed,
    "quark": _quark,
    "torchao": _torchao,
    "experts-int8": _experts_int8,
}
