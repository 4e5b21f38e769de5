"""What config.json says in the repositories of well-known models, cut to what counts for memory.

Written from what is publicly known of them. A config for a format is the original's with what the
tool that made it adds.
"""

from typing import Any

Config = dict[str, Any]


def _llama_like(
    architecture: str,
    model_type: str,
    layers: int,
    hidden: int,
    heads: int,
    kv: int,
    inner: int,
    words: int,
    context: int,
    **more: Any,
) -> Config:
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": inner,
        "vocab_size": words,
        "max_position_embeddings": context,
        "torch_dtype": "bfloat16",
        **more,
    }


def _llama(*numbers: int, **more: Any) -> Config:
    return _llama_like("LlamaForCausalLM", "llama", *numbers, **more)


LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "original_max_position_embeddings": 8_192,
}

LLAMA_8B = _llama(32, 4_096, 32, 8, 14_336, 128_256, 131_072, rope_scaling=LLAMA3_ROPE)
LLAMA_70B = _llama(80, 8_192, 64, 8, 28_672, 128_256, 131_072, rope_scaling=LLAMA3_ROPE)
QWEN25 = ("Qwen2ForCausalLM", "qwen2")
NO_WINDOW: Config = {
    "use_sliding_window": False,
    "sliding_window": 131_072,
    "max_window_layers": 28,
}
QWEN25_7B = _llama_like(*QWEN25, 28, 3_584, 28, 4, 18_944, 152_064, 32_768, **NO_WINDOW)
QWEN25_05B = _llama_like(
    *QWEN25, 24, 896, 14, 2, 4_864, 151_936, 32_768, tie_word_embeddings=True, **NO_WINDOW
)
QWEN3_8B = _llama_like(
    "Qwen3ForCausalLM", "qwen3", 36, 4_096, 32, 8, 12_288, 151_936, 40_960, head_dim=128,
    use_sliding_window=False, sliding_window=None,
)  # fmt: skip
QWEN3_30B = _llama_like(
    "Qwen3MoeForCausalLM", "qwen3_moe", 48, 2_048, 32, 4, 6_144, 151_936, 40_960, head_dim=128,
    num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768,
)  # fmt: skip
QWEN3_235B = QWEN3_30B | {
    "num_hidden_layers": 94, "hidden_size": 4_096, "num_attention_heads": 64,
    "moe_intermediate_size": 1_536, "intermediate_size": 12_288,
}  # fmt: skip
MISTRAL = ("MistralForCausalLM", "mistral")
MISTRAL_7B_V1 = _llama_like(
    *MISTRAL, 32, 4_096, 32, 8, 14_336, 32_000, 32_768, sliding_window=4_096
)
MISTRAL_7B_V3 = _llama_like(*MISTRAL, 32, 4_096, 32, 8, 14_336, 32_768, 32_768, sliding_window=None)
MISTRAL_24B = _llama_like(*MISTRAL, 40, 5_120, 32, 8, 32_768, 131_072, 32_768, head_dim=128)
MIXTRAL = _llama_like(
    "MixtralForCausalLM", "mixtral", 32, 4_096, 32, 8, 14_336, 32_000, 32_768,
    num_local_experts=8, num_experts_per_tok=2, sliding_window=None,
)  # fmt: skip
GEMMA2_9B = _llama_like(
    "Gemma2ForCausalLM", "gemma2", 42, 3_584, 16, 8, 14_336, 256_000, 8_192, head_dim=256,
    sliding_window=4_096, tie_word_embeddings=True,
)  # fmt: skip
GEMMA3_1B = _llama_like(
    "Gemma3ForCausalLM", "gemma3_text", 26, 1_152, 4, 1, 6_912, 262_144, 32_768, head_dim=256,
    sliding_window=512, sliding_window_pattern=6, tie_word_embeddings=True,
)  # fmt: skip
GEMMA3_12B: Config = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "mm_tokens_per_image": 256,
    "text_config": {
        "model_type": "gemma3_text", "num_hidden_layers": 48, "hidden_size": 3_840,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
        "intermediate_size": 15_360, "sliding_window": 1_024, "vocab_size": 262_208,
        "max_position_embeddings": 131_072, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    },
    "vision_config": {"hidden_size": 1_152, "intermediate_size": 4_304, "image_size": 896,
                      "patch_size": 14, "num_hidden_layers": 27},
    "torch_dtype": "bfloat16",
}  # fmt: skip
GEMMA3N_E4B: Config = {
    "architectures": ["Gemma3nForConditionalGeneration"],
    "model_type": "gemma3n",
    "text_config": {
        "model_type": "gemma3n_text", "num_hidden_layers": 35, "hidden_size": 2_048,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256,
        "intermediate_size": [16_384] * 35, "sliding_window": 512, "num_kv_shared_layers": 15,
        "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
        "vocab_size": 262_400, "max_position_embeddings": 32_768,
    },
    "vision_config": {"model_type": "gemma3n_vision", "hidden_size": 2_048},
    "torch_dtype": "bfloat16",
}  # fmt: skip
PHI3_MINI = _llama_like(
    "Phi3ForCausalLM", "phi3", 32, 3_072, 32, 32, 8_192, 32_064, 4_096, sliding_window=2_047
)
PHI35_MINI = _llama_like(
    "Phi3ForCausalLM", "phi3", 32, 3_072, 32, 32, 8_192, 32_064, 131_072, sliding_window=262_144,
    original_max_position_embeddings=4_096, rope_scaling={"type": "longrope"},
    auto_map={"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
)  # fmt: skip
PHI4 = _llama_like("Phi3ForCausalLM", "phi3", 40, 5_120, 40, 10, 17_920, 100_352, 16_384)
DEEPSEEK_V2_LITE = _llama_like(
    "DeepseekV2ForCausalLM", "deepseek_v2", 27, 2_048, 16, 16, 10_944, 102_400, 163_840,
    kv_lora_rank=512, q_lora_rank=None, qk_rope_head_dim=64, qk_nope_head_dim=128, v_head_dim=128,
    n_routed_experts=64, num_experts_per_tok=6, n_shared_experts=2, moe_intermediate_size=1_408,
    first_k_dense_replace=1, rope_scaling={"type": "yarn", "factor": 40},
    auto_map={"AutoConfig": "configuration_deepseek.DeepseekV2Config"},
)  # fmt: skip
DEEPSEEK_V3 = _llama_like(
    "DeepseekV3ForCausalLM", "deepseek_v3", 61, 7_168, 128, 128, 18_432, 129_280, 163_840,
    kv_lora_rank=512, q_lora_rank=1_536, qk_rope_head_dim=64, qk_nope_head_dim=128, v_head_dim=128,
    n_routed_experts=256, num_experts_per_tok=8, n_shared_experts=1, moe_intermediate_size=2_048,
    first_k_dense_replace=3, num_nextn_predict_layers=1,
    rope_scaling={"type": "yarn", "factor": 40},
    quantization_config={"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]},
)  # fmt: skip
_OSS: Config = {
    "head_dim": 64,
    "sliding_window": 128,
    "experts_per_token": 4,
    "num_experts_per_tok": 4,
    "rope_scaling": {"rope_type": "yarn", "factor": 32.0},
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
}
GPT_OSS = ("GptOssForCausalLM", "gpt_oss")
GPT_OSS_20B = _llama_like(
    *GPT_OSS, 24, 2_880, 64, 8, 2_880, 201_088, 131_072, num_local_experts=32,
    layer_types=["sliding_attention", "full_attention"] * 12, **_OSS,
)  # fmt: skip
GPT_OSS_120B = _llama_like(
    *GPT_OSS, 36, 2_880, 64, 8, 2_880, 201_088, 131_072, num_local_experts=128, **_OSS
)
QWEN3_NEXT = _llama_like(
    "Qwen3NextForCausalLM", "qwen3_next", 48, 2_048, 16, 2, 5_120, 151_936, 262_144, head_dim=256,
    full_attention_interval=4, linear_num_value_heads=32, linear_num_key_heads=16,
    linear_key_head_dim=128, linear_value_head_dim=128, linear_conv_kernel_dim=4,
    num_experts=512, num_experts_per_tok=10, moe_intermediate_size=512,
)  # fmt: skip
JAMBA_MINI = _llama_like(
    "JambaForCausalLM", "jamba", 32, 4_096, 32, 8, 14_336, 65_536, 262_144,
    attn_layer_period=8, attn_layer_offset=4, mamba_d_state=16, mamba_d_conv=4, mamba_expand=2,
    num_experts=16, num_experts_per_tok=2,
)  # fmt: skip
NEMOTRON_H_8B = _llama_like(
    "NemotronHForCausalLM", "nemotron_h", 52, 4_096, 32, 8, 21_504, 131_072, 8_192, head_dim=128,
    hybrid_override_pattern="M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-",
    mamba_num_heads=128, mamba_head_dim=64, ssm_state_size=128, n_groups=8, conv_kernel=4,
)  # fmt: skip
LFM2_1B = _llama_like(
    "Lfm2ForCausalLM", "lfm2", 16, 2_048, 32, 8, 12_288, 65_536, 128_000, conv_L_cache=3,
    full_attn_idxs=[2, 5, 8, 10, 12, 14], tie_word_embeddings=True,
)  # fmt: skip
GLM45_AIR = _llama_like(
    "Glm4MoeForCausalLM", "glm4_moe", 46, 4_096, 96, 8, 10_944, 151_552, 131_072, head_dim=128,
    n_routed_experts=128, num_experts_per_tok=8, n_shared_experts=1, moe_intermediate_size=1_408,
    first_k_dense_replace=1, num_nextn_predict_layers=1,
)  # fmt: skip
GRANITE4_SMALL = _llama_like(
    "GraniteMoeHybridForCausalLM", "granitemoehybrid", 40, 4_096, 32, 8, 768, 100_352, 131_072,
    layer_types=["attention" if index in (5, 15, 25, 35) else "mamba" for index in range(40)],
    mamba_n_heads=128, mamba_d_head=64, mamba_d_state=128, mamba_n_groups=1, mamba_d_conv=4,
    mamba_expand=2, num_local_experts=72, num_experts_per_tok=10,
)  # fmt: skip
FALCON_H1_7B = _llama_like(
    "FalconH1ForCausalLM", "falcon_h1", 44, 3_072, 12, 2, 12_288, 130_048, 262_144, head_dim=128,
    mamba_d_ssm=3_072, mamba_n_heads=24, mamba_d_head=128, mamba_d_state=256, mamba_n_groups=1,
    mamba_d_conv=4,
)  # fmt: skip
QWEN25_VL_7B = QWEN25_7B | {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "model_type": "qwen2_5_vl",
    "max_position_embeddings": 128_000,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vision_config": {"hidden_size": 1_280, "intermediate_size": 3_420, "patch_size": 14,
                      "spatial_merge_size": 2, "depth": 32},
}  # fmt: skip
LLAMA4_SCOUT: Config = {
    "architectures": ["Llama4ForConditionalGeneration"],
    "model_type": "llama4",
    "text_config": {
        "model_type": "llama4_text", "num_hidden_layers": 48, "hidden_size": 5_120,
        "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 8_192, "attention_chunk_size": 8_192, "vocab_size": 202_048,
        "no_rope_layers": [1, 1, 1, 0] * 12, "num_local_experts": 16, "num_experts_per_tok": 1,
        "max_position_embeddings": 10_485_760, "rope_scaling": {"rope_type": "llama3", "factor": 8},
    },
    "vision_config": {"hidden_size": 1_408, "intermediate_size": 5_632, "image_size": 336,
                      "patch_size": 14},
    "torch_dtype": "bfloat16",
}  # fmt: skip
PIXTRAL: Config = {
    "architectures": ["LlavaForConditionalGeneration"],
    "model_type": "llava",
    "text_config": {
        "model_type": "mistral", "num_hidden_layers": 40, "hidden_size": 5_120,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 14_336, "vocab_size": 131_072, "max_position_embeddings": 1_024_000,
        "sliding_window": None,
    },
    "vision_config": {"model_type": "pixtral", "hidden_size": 1_024, "intermediate_size": 4_096,
                      "image_size": 1_024, "patch_size": 16},
    "torch_dtype": "bfloat16",
}  # fmt: skip
COMMAND_R7B = _llama_like(
    "Cohere2ForCausalLM", "cohere2", 32, 4_096, 32, 8, 14_336, 256_000, 8_192, head_dim=128,
    sliding_window=4_096, sliding_window_pattern=4, model_max_length=132_096,
    tie_word_embeddings=True,
)  # fmt: skip
MINICPM3 = _llama_like(
    "MiniCPM3ForCausalLM", "minicpm3", 62, 2_560, 40, 40, 6_400, 73_448, 32_768,
    kv_lora_rank=256, q_lora_rank=768, qk_rope_head_dim=32, qk_nope_head_dim=64,
)  # fmt: skip
FALCON_7B: Config = {
    "architectures": ["FalconForCausalLM"], "model_type": "falcon", "num_hidden_layers": 32,
    "hidden_size": 4_544, "num_attention_heads": 71, "multi_query": True, "vocab_size": 65_024,
    "new_decoder_architecture": False, "torch_dtype": "bfloat16", "max_position_embeddings": 2_048,
}  # fmt: skip
CHATGLM: Config = {
    "architectures": ["ChatGLMModel"], "model_type": "chatglm", "num_layers": 40,
    "hidden_size": 4_096, "num_attention_heads": 32, "multi_query_attention": True,
    "multi_query_group_num": 2, "kv_channels": 128, "ffn_hidden_size": 13_696,
    "padded_vocab_size": 151_552, "seq_length": 131_072, "torch_dtype": "bfloat16",
    "auto_map": {"AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration"},
}  # fmt: skip
NEMOTRON_49B = _llama_like(
    "DeciLMForCausalLM", "nemotron-nas", 80, 8_192, 64, 8, 28_672, 128_256, 131_072,
    block_configs=[{"attention": {"no_op": index % 80 >= 49, "n_heads_in_group": 8}}
                   for index in range(80)],
)  # fmt: skip
KIMI_LINEAR: Config = _llama_like(
    "KimiLinearForCausalLM", "kimi_linear", 27, 2_304, 32, 32, 9_216, 163_840, 1_048_576,
    kv_lora_rank=512, qk_rope_head_dim=64, qk_nope_head_dim=128, v_head_dim=128,
    linear_attn_config={"full_attn_layers": [4, 8, 12, 16, 20, 24, 27], "num_heads": 32,
                        "head_dim": 128, "short_conv_kernel_size": 4},
    num_experts=256, num_experts_per_token=8, moe_intermediate_size=1_024,
)  # fmt: skip
MAMBA2: Config = {
    "architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2", "num_hidden_layers": 64,
    "hidden_size": 4_096, "num_heads": 128, "head_dim": 64, "state_size": 128, "n_groups": 8,
    "conv_kernel": 4, "expand": 2, "vocab_size": 32_768, "torch_dtype": "bfloat16",
}  # fmt: skip
GPT2: Config = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 12, "n_head": 12,
    "n_embd": 768, "n_positions": 1_024, "vocab_size": 50_257,
}  # fmt: skip
TINY = _llama(2, 64, 2, 2, 128, 512, 1_024, head_dim=32, tie_word_embeddings=True) | {
    "torch_dtype": "float32"
}

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}
FP8_BLOCK = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


def compressed(weights: Config, inputs: Config | None = None, **more: Any) -> Config:
    """The quantization_config that llm-compressor writes."""
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": group},
        **more,
    }


INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}
INT8 = {"num_bits": 8, "type": "int", "strategy": "channel"}
FLOAT8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
FLOAT4 = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
W4A16, W8A8 = compressed(INT4), compressed(INT8, INT8)
FP8_W8A8, NVFP4 = compressed(FLOAT8, FLOAT8), compressed(FLOAT4, FLOAT4)
MODELOPT_NVFP4 = {  # as hf_quant_config.json has it
    "producer": {"name": "modelopt", "version": "0.37.0"},
    "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16},
}


def quantized(config: Config, how: Config) -> Config:
    """The config of a repository that holds the model in another format."""
    return {**config, "quantization_config": how}
