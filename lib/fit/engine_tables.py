"""What the engine that is pinned in requirements.txt knows: kinds of models, and what they do.

tests/unit/fit/test_engine_tables.py holds these tables against the engine itself, so that another
pin cannot leave them behind. Tensor and file types are in quantizations.py.
"""

_ARCHITECTURES = """
    clip llama llama4 deci falcon baichuan grok gpt2 gptj gptneox mpt starcoder refact bert
    modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert bloom stablelm
    qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3next qwen3vl qwen3vlmoe qwen35 qwen35moe clef
    qwen4exp phi2 phi3 phimoe plamo plamo2 plamo3 codeshell orion internlm2 minicpm minicpm3 gemma
    gemma2 gemma3 gemma3n gemma4 gemma4-assistant gemma-embedding gemma-embedding2 starcoder2 mamba
    mamba2 maple jamba falcon-h1 xverse command-r cohere2 cohere2moe dbrx olmo olmo2 olmoe
    muse-glimmer openelm arctic deepseek deepseek2 deepseek2-ocr deepseek32 deepseek4 chatglm glm4
    glm4moe glm-dsa bitnet t5 t5encoder jais jais2 nemotron nemotron_h nemotron_h_moe exaone exaone4
    exaone-moe rwkv6 rwkv6qwen2 rwkv7 arwkv7 granite granitemoe granitehybrid graniteswitch
    granite_swa chameleon wavtokenizer-dec plm bailingmoe bailingmoe2 bailingmoe3 dots1 dots3note
    arcee afmoe laguna ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3 hy_v4
    smollm3 gpt-oss lfm2 lfm2moe dream smallthinker llada llada-moe seed_oss grovemoe apertus
    minimax-m2 cogvlm rnd1 pangu-embedded mistral3 mistral4 paddleocr mimo2 step35 spark2_5
    llama-embed maincoder kimi-linear kimi-k3 glm5-next talkie mellum eagle3 minimax-m3 dflash
    nanbeige qwen3tts pockettts minimax-01 hrm_text k2-horizon"""
ARCHITECTURES = frozenset(_ARCHITECTURES.split())

# They read the whole text at once and turn it into numbers; they write none.
ENCODERS = frozenset(
    (
        *("bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2"),
        *("jina-bert-v3", "eurobert", "gemma-embedding", "gemma-embedding2", "llama-embed"),
    )
)
DIFFUSION = frozenset(("dream", "llada", "llada-moe", "rnd1"))
ENCODER_DECODERS = frozenset(("t5",))
LONE_ENCODERS = frozenset(("t5encoder",))  # of a larger model that makes pictures
# What tools for pictures call their models; no engine for text knows them.
PICTURES = frozenset(
    (
        *("flux", "flux2", "sd1", "sdxl", "sd3", "aura", "hidream", "cosmos", "ltxv", "hyvid"),
        *("wan", "lumina2", "qwen_image", "z_image", "chroma", "pig", "vae"),
    )
)
SPEECH = frozenset(("wavtokenizer-dec", "qwen3tts", "pockettts"))
DRAFTERS = frozenset(("eagle3", "dflash", "gemma4-assistant"))
# The engine keeps no keys and values for them: what they read is gone when it is read.
WITHOUT_CACHE = (ENCODERS - {"llama-embed"}) | DIFFUSION
# The estimate of their memory has been held against the engine, see tests/support/blueprints.py.
CHECKED = frozenset(
    (
        *("arwkv7", "cohere2", "deepseek2", "deepseek32", "exaone4", "falcon", "falcon-h1"),
        *("gemma2", "gemma3", "gemma3n", "gemma4", "glm4moe", "gpt-oss", "gptneox"),
        *("granitehybrid", "kimi-linear", "lfm2", "lfm2moe", "llama", "llama4", "mamba", "mamba2"),
        *("mistral3", "nemotron", "nemotron_h", "nemotron_h_moe", "olmo2", "phi3", "qwen2"),
        *("qwen3", "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "rwkv6", "rwkv6qwen2", "rwkv7"),
        "starcoder2",
    )
)
