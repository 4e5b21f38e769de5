"""The tensors of language models by family, in every format in which they are published.

Written from what is publicly known of these models; `Format` says how a matrix is stored.
"""

from enum import StrEnum
from typing import Any

Shape = tuple[str, tuple[int, ...]]
Named = dict[str, Shape]
Config = dict[str, Any]


class Format(StrEnum):
    """How the matrices of the layers are stored."""

    BF16 = "bf16"
    F32 = "f32"
    AWQ = "awq"
    GPTQ = "gptq"
    FP8_BLOCK = "fp8_block"
    FP8 = "fp8"
    W4A16 = "w4a16"
    W8A8 = "w8a8"
    NVFP4 = "nvfp4"
    MODELOPT_NVFP4 = "modelopt_nvfp4"


GROUP = 128


def matrix(name: str, rows: int, columns: int, form: Format = Format.BF16) -> Named:
    """One linear layer, `rows` results of `columns` inputs, with its scales."""
    groups, up, across = columns // GROUP, -(-rows // 128), -(-columns // 128)
    packed: Named = {"qzeros": ("I32", (groups, rows // 8)), "scales": ("F16", (groups, rows))}
    four_bits, scales = ("U8", (rows, columns // 2)), ("F8_E4M3", (rows, columns // 16))
    parts: dict[Format, Named] = {
        Format.BF16: {"weight": ("BF16", (rows, columns))},
        Format.F32: {"weight": ("F32", (rows, columns))},
        Format.AWQ: {"qweight": ("I32", (columns, rows // 8)), **packed},
        Format.GPTQ: {
            "qweight": ("I32", (columns // 8, rows)),
            "g_idx": ("I32", (columns,)),
            **packed,
        },
        Format.FP8_BLOCK: {
            "weight": ("F8_E4M3", (rows, columns)),
            "weight_scale_inv": ("F32", (up, across)),
        },
        Format.FP8: {"weight": ("F8_E4M3", (rows, columns)), "weight_scale": ("BF16", (rows, 1))},
        Format.W4A16: {
            "weight_packed": ("I32", (rows, columns // 8)),
            "weight_scale": ("BF16", (rows, groups)),
            "weight_shape": ("I64", (2,)),
        },
        Format.W8A8: {"weight": ("I8", (rows, columns)), "weight_scale": ("BF16", (rows, 1))},
        Format.NVFP4: {
            "weight_packed": four_bits,
            "weight_scale": scales,
            "weight_global_scale": ("F32", (1,)),
            "input_global_scale": ("F32", (1,)),
        },
        Format.MODELOPT_NVFP4: {
            "weight": four_bits,
            "weight_scale": scales,
            "weight_scale_2": ("F32", ()),
            "input_scale": ("F32", ()),
        },
    }
    return {f"{name}.{part}": shape for part, shape in parts[form].items()}


def dense(config: Config, form: Format = Format.BF16) -> Named:
    """A model of ordinary layers: Llama, Qwen 2 and 3, Mistral and their like."""
    found = _around(config, form)
    for index in range(config["num_hidden_layers"]):
        found |= _attention(config, index, form)
        found |= _feed_forward(
            f"model.layers.{index}.mlp", config["intermediate_size"], config, form
        )
    return found


def experts(config: Config, form: Format = Format.BF16) -> Named:
    """A model of experts: Qwen 3 MoE, Mixtral."""
    found = _around(config, form)
    is_mixtral = config["model_type"] == "mixtral"
    block = "block_sparse_moe" if is_mixtral else "mlp"
    inner = config["moe_intermediate_size" if not is_mixtral else "intermediate_size"]
    count = config.get("num_experts") or config["num_local_experts"]
    for index in range(config["num_hidden_layers"]):
        found |= _attention(config, index, form)
        place = f"model.layers.{index}.{block}"
        found[f"{place}.gate.weight"] = ("BF16", (count, config["hidden_size"]))
        for number in range(count):
            found |= _feed_forward(f"{place}.experts.{number}", inner, config, form)
    return found


def latent(config: Config, form: Format = Format.BF16) -> Named:
    """DeepSeek V2 and V3: latent attention, experts with shared ones, the first layers dense."""
    found = _around(config, form)
    hidden, drafting = config["hidden_size"], config.get("num_nextn_predict_layers", 0)
    for index in range(config["num_hidden_layers"] + drafting):
        place = f"model.layers.{index}"
        found |= _latent_attention(config, f"{place}.self_attn", form)
        found |= _norms(place, hidden)
        if index < config["first_k_dense_replace"]:
            found |= _feed_forward(f"{place}.mlp", config["intermediate_size"], config, form)
            continue
        inner, count = config["moe_intermediate_size"], config["n_routed_experts"]
        found[f"{place}.mlp.gate.weight"] = ("BF16", (count, hidden))
        if config["model_type"] == "deepseek_v3":
            found[f"{place}.mlp.gate.e_score_correction_bias"] = ("F32", (count,))
        for number in range(count):
            found |= _feed_forward(f"{place}.mlp.experts.{number}", inner, config, form)
        shared = inner * config["n_shared_experts"]
        found |= _feed_forward(f"{place}.mlp.shared_experts", shared, config, form)
    return found


def gpt_oss(config: Config) -> Named:
    """OpenAI's open models, whose experts are stored in MXFP4 and nothing else is."""
    found = _around(config, Format.BF16)
    hidden, inner, count = 2_880, 2_880, config["num_local_experts"]
    for index in range(config["num_hidden_layers"]):
        place = f"model.layers.{index}"
        found |= _attention(config, index, Format.BF16)
        found[f"{place}.self_attn.o_proj.bias"] = ("BF16", (hidden,))
        found[f"{place}.self_attn.sinks"] = ("BF16", (config["num_attention_heads"],))
        found[f"{place}.mlp.router.weight"] = ("BF16", (count, hidden))
        found[f"{place}.mlp.router.bias"] = ("BF16", (count,))
        for name, rows, columns in (
            ("gate_up_proj", 2 * inner, hidden),
            ("down_proj", hidden, inner),
        ):
            start = f"{place}.mlp.experts.{name}"
            found[f"{start}_blocks"] = ("U8", (count, rows, columns // 32, 16))
            found[f"{start}_scales"] = ("U8", (count, rows, columns // 32))
            found[f"{start}_bias"] = ("BF16", (count, rows))
    return found


def with_tower(shapes: Named, prefix: str = "visual") -> Named:
    """The same with a small tower that sees."""
    tower = {f"{prefix}.blocks.{n}.attn.qkv.weight": ("BF16", (3_840, 1_280)) for n in range(32)}
    return {**shapes, **tower}


def _around(config: Config, form: Format) -> Named:
    dtype = "F32" if form == Format.F32 else "BF16"
    hidden, words = config["hidden_size"], config["vocab_size"]
    found: Named = {
        "model.embed_tokens.weight": (dtype, (words, hidden)),
        "model.norm.weight": (dtype, (hidden,)),
    }
    if not config.get("tie_word_embeddings"):
        found["lm_head.weight"] = (dtype, (words, hidden))
    return found


def _norms(place: str, hidden: int, dtype: str = "BF16") -> Named:
    names = ("input_layernorm", "post_attention_layernorm")
    return {f"{place}.{name}.weight": (dtype, (hidden,)) for name in names}


def _attention(config: Config, index: int, form: Format) -> Named:
    place, hidden, heads = (
        f"model.layers.{index}",
        config["hidden_size"],
        config["num_attention_heads"],
    )
    size = config.get("head_dim") or hidden // heads
    dtype = "F32" if form == Format.F32 else "BF16"
    rows = {"q": heads * size, "k": config["num_key_value_heads"] * size}
    rows["v"] = rows["k"]
    found = _norms(place, hidden, dtype)
    for letter, count in rows.items():
        found |= matrix(f"{place}.self_attn.{letter}_proj", count, hidden, form)
        if config["model_type"] in ("qwen2", "gpt_oss"):
            found[f"{place}.self_attn.{letter}_proj.bias"] = (dtype, (count,))
    found |= matrix(f"{place}.self_attn.o_proj", hidden, heads * size, form)
    if config["model_type"].startswith("qwen3"):
        for letter in "qk":
            found[f"{place}.self_attn.{letter}_norm.weight"] = (dtype, (size,))
    return found


def _latent_attention(config: Config, place: str, form: Format) -> Named:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    rope, nope, value = (config[f"{name}_head_dim"] for name in ("qk_rope", "qk_nope", "v"))
    rank, queries = config["kv_lora_rank"], config["q_lora_rank"]
    found = matrix(f"{place}.kv_a_proj_with_mqa", rank + rope, hidden, form)
    found |= matrix(f"{place}.kv_b_proj", heads * (nope + value), rank, form)
    found |= matrix(f"{place}.o_proj", hidden, heads * value, form)
    found[f"{place}.kv_a_layernorm.weight"] = ("BF16", (rank,))
    if not queries:
        return found | matrix(f"{place}.q_proj", heads * (nope + rope), hidden, form)
    found[f"{place}.q_a_layernorm.weight"] = ("BF16", (queries,))
    found |= matrix(f"{place}.q_a_proj", queries, hidden, form)
    return found | matrix(f"{place}.q_b_proj", heads * (nope + rope), queries, form)


def _feed_forward(place: str, inner: int, config: Config, form: Format) -> Named:
    hidden, names = config["hidden_size"], ("gate_proj", "up_proj", "down_proj")
    if config["model_type"] == "mixtral":
        names = ("w1", "w3", "w2")
    first, second, last = names
    found = matrix(f"{place}.{first}", inner, hidden, form)
    found |= matrix(f"{place}.{second}", inner, hidden, form)
    return found | matrix(f"{place}.{last}", hidden, inner, form)
