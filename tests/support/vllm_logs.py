"""Logs of vLLM as journald keeps them: how a start goes, and how each refusal reads in it.

The refusals of a machine without a GPU were recorded from vLLM 0.32; those that need a card are
worded as its source has them.
"""

from lib.engines.vllm.causes import Kind

AT = "11-27 10:00:00"
BEGUN = f"""\
(APIServer pid=7) INFO {AT} [api_utils.py:347] vLLM server version 0.33.0, serving model /m
(APIServer pid=7) INFO {AT} [api_utils.py:286] non-default args: {{'port': 8104}}
(APIServer pid=7) WARNING {AT} [system_utils.py:255] Found ulimit of 20000 and failed: `OSError: \
[Errno 24] Too many open files`. Consider increasing with ulimit -n
(APIServer pid=7) WARNING {AT} [vllm.py:1703] Enforce eager set, disabling torch.compile, CUDAGraphs
(EngineCore pid=8) INFO {AT} [core.py:133] Initializing a V1 LLM engine (v0.33.0) with config: \
trust_remote_code=False, quantization=None
"""
LOADING = f"""\
(Worker pid=9) INFO {AT} [gpu_model_runner.py:4979] Starting to load model /m...
Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]
\rLoading safetensors checkpoint shards:  25% Completed | 1/4 [00:01<00:03,  1.00s/it]
"""
LOADED = f"""\
\rLoading safetensors checkpoint shards: 100% Completed | 4/4 [00:04<00:00,  1.00s/it]

(Worker pid=9) INFO {AT} [default_loader.py:501] Loading weights took 4.02 seconds
(Worker pid=9) INFO {AT} [gpu_model_runner.py:5089] Model loading took 5.2 GiB memory and 5.1 s
"""
COMPILED = f"""\
(Worker pid=9) INFO {AT} [backends.py:580] Using cache directory: /c for vLLM's torch.compile
(Worker pid=9) INFO {AT} [monitor.py:34] torch.compile took 24.30 s in total
(Worker pid=9) INFO {AT} [gpu_worker.py:773] Available KV cache memory: 9.31 GiB
"""
REDUCED = f"""\
(EngineCore pid=8) INFO {AT} [kv.py:1405] Auto-fit max_model_len: reduced from 131072 to 40960 \
to fit in available KV cache memory (9.31 GiB GPU)
"""
ONE_LINE = f"""\
(EngineCore pid=8) INFO {AT} [kv_cache_utils.py:1148] GPU KV cache size: 81,920 tokens, \
Maximum concurrency for 40,960 tokens per request: 2.00x
"""
TWO_LINES = f"""\
(EngineCore pid=8) INFO {AT} [kv_cache_utils.py:634] GPU KV cache size: 81,920 tokens
(EngineCore pid=8) INFO {AT} [kv_cache_utils.py:637] Maximum concurrency for 40,960 tokens per \
request: 2.00x
"""
GRAPHS = (
    "\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/35 [00:00<?]"
    "\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):  40%|████      | 14/35 [00:01<02]"
)
RECORDED = f"""
(Worker pid=9) INFO {AT} [runner.py:6517] Graph capturing finished in 4 secs, took 0.41 GiB
(EngineCore pid=8) INFO {AT} [core.py:413] init engine (profile, create kv cache) took 41.2 s
(Worker pid=9) INFO {AT} [gpu_worker.py:1045] Free memory on device (21.9/23.6 GiB) on startup. \
Desired GPU memory utilization is (0.92, 21.7 GiB). Replace gpu_memory_utilization config with \
`--kv-cache-memory=10479616000` (9.76 GiB) to fit into requested memory
"""
UP = """\
INFO:     Started server process [7]
INFO:     Waiting for application startup.
INFO:     Application startup complete.
"""
DIED = f"""\
(APIServer pid=7) WARNING {AT} [core_client.py:817] engine core exited unexpectedly
(APIServer pid=7) ERROR {AT} [async_llm.py:906] AsyncLLM output_handler failed.
(APIServer pid=7) ERROR {AT} [async_llm.py:906] vllm.v1.engine.exceptions.EngineDeadError: \
EngineCore encountered an issue. See stack trace (above) for the root cause.
"""
# A request that is answered with 400, and has the words of a failure in it.
REFUSED_REQUEST = f"""\
(APIServer pid=7) ERROR {AT} [serving.py:257] Error in preprocessing prompt inputs
(APIServer pid=7) ERROR {AT} [serving.py:257] Traceback (most recent call last):
(APIServer pid=7) ERROR {AT} [serving.py:257]   File "/opt/vllm/chat_utils.py", line 1156, in parse
(APIServer pid=7) ERROR {AT} [serving.py:257] ValueError: Unknown part type: No space left on device
(APIServer pid=7) INFO:     127.0.0.1:43210 - "POST /v1/chat/completions HTTP/1.1" 400 Bad Request
"""
ANSWERED = """\
(APIServer pid=7) INFO:     127.0.0.1:43210 - "POST /v1/chat/completions HTTP/1.1" 200 OK
"""
ANSWERED_500 = """\
(APIServer pid=7) INFO:     127.0.0.1:4 - "POST /v1/completions HTTP/1.1" 500 Internal Server Error
"""
CRASHED = f"""\
(EngineCore pid=8) ERROR {AT} [core.py:398] EngineCore encountered a fatal error.
(EngineCore pid=8) ERROR {AT} [core.py:398] Traceback (most recent call last):
(EngineCore pid=8) ERROR {AT} [core.py:398] RuntimeError: CUDA error: an illegal memory access was \
encountered
"""
STARTED = BEGUN + LOADING + LOADED + COMPILED + REDUCED + ONE_LINE + GRAPHS + RECORDED + UP

_SUMMARY = """\
(APIServer pid=7)   File "/opt/berth/vllm-0.33.0/lib/vllm/v1/engine/utils.py", line 1473, in wait
(APIServer pid=7)     raise RuntimeError(
(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above. \
Failed core proc(s): {'EngineCore': 1}
"""


def refused(error: str, before: str = BEGUN + LOADING) -> str:
    """The log of a start that ended with this error in its engine, the summary at the end."""
    place = f"(EngineCore pid=8) ERROR {AT} [core.py:1510]"
    return (
        f"{before}"
        f"{place} EngineCore failed to start.\n"
        f"{place} Traceback (most recent call last):\n"
        f'{place}   File "/opt/berth/vllm-0.33.0/lib/vllm/v1/worker/utils.py", line 760, in ask\n'
        f"{place}     raise ValueError(\n"
        f"{place} {error}\n{_SUMMARY}"
    )


TOO_LONG = (
    "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV"
    " cache is needed, which is larger than the available KV cache memory (5.1 GiB). Based on the"
    " available memory, the estimated maximum model length is 41,728. Try increasing"
    " `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
)
# Each refusal with the sentence that a person reads.
REFUSALS: tuple[tuple[str, Kind, str], ...] = (
    (
        refused(
            "ValueError: Free memory on device cuda:0 (3.21/23.64 GiB) on startup is less than"
            " desired GPU memory utilization (0.92, 21.75 GiB). Decrease GPU memory utilization or"
            " reduce GPU memory used by other processes.",
            BEGUN,
        ),
        Kind.CARD_TAKEN,
        "The card has 3.21 of its 23.64 GiB free, and the engine was to take 21.75 GiB.",
    ),
    (
        refused(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a"
            " total capacity of 23.64 GiB of which 101.00 MiB is free."
        ),
        Kind.WEIGHTS_TOO_LARGE,
        "The model's weights do not fit on the card.",
    ),
    (
        refused(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            BEGUN + LOADING + LOADED,
        ),
        Kind.MEMORY_RAN_OUT,
        "The card's memory ran out beside the weights.",
    ),
    (
        refused(
            "ValueError: No available memory for the cache blocks. Try increasing"
            " `gpu_memory_utilization` when initializing the engine.",
            BEGUN + LOADING + LOADED,
        ),
        Kind.NO_ROOM_FOR_CACHE,
        "The model leaves no memory for conversations.",
    ),
    (
        refused(
            "ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve"
            " even a single token.",
            BEGUN + LOADING + LOADED,
        ),
        Kind.NO_ROOM_FOR_CACHE,
        "The model leaves no memory for conversations.",
    ),
    (
        refused(TOO_LONG, BEGUN + LOADING + LOADED),
        Kind.CONTEXT_TOO_LARGE,
        "A context of 131,072 does not fit beside the model; 41,728 does.",
    ),
    (
        refused(
            "AssertionError: Error in memory profiling. Initial free memory 10.0 GiB, current free"
            " memory 14.0 GiB. This happens when other processes release GPU memory.",
            BEGUN + LOADING + LOADED,
        ),
        Kind.NEIGHBOUR_MOVED,
        "Another program gave memory of the card back while the engine measured it.",
    ),
    (
        refused(
            "RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy"
            " requests. Please try lowering `max_num_seqs`.",
            BEGUN + LOADING + LOADED,
        ),
        Kind.TOO_MANY_REQUESTS,
        "The card's memory does not suffice for so many requests at a time.",
    ),
    (
        refused(
            "ValueError: The quantization method fp8_per_tensor is not supported for the current"
            " GPU. Minimum capability: 89. Current capability: 75.",
            BEGUN,
        ),
        Kind.QUANTIZATION,
        "The card cannot compute with fp8_per_tensor: that needs compute capability 8.9, and it has"
        " 7.5.",
    ),
    (
        refused(
            "RuntimeError: Quantization scheme is not supported for the current GPU. Min"
            " capability: 90. Current capability: 86."
        ),
        Kind.QUANTIZATION,
        "The card is too old for the quantization of this model.",
    ),
    (
        refused(
            "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least"
            " 8.0. Your Tesla T4 GPU has compute capability 7.5.",
            BEGUN,
        ),
        Kind.BFLOAT16,
        "The card is too old for bfloat16.",
    ),
    (
        f"{BEGUN}pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, Model architectures ['FooForCausalLM'] are not supported for now. Supported"
        " architectures: dict_keys(['AfmoeForCausalLM'])\n",
        Kind.ARCHITECTURE,
        "vLLM does not know models of the kind “FooForCausalLM”.",
    ),
    (
        f"{BEGUN}  Value error, The checkpoint you are trying to load has model type `foo` but"
        " Transformers does not recognize this architecture.\n",
        Kind.ARCHITECTURE,
        "vLLM does not know models of the kind “foo”.",
    ),
    (
        f"{BEGUN}(APIServer pid=7) ERROR {AT} [repo_utils.py:126] Error parsing config: The"
        " repository m contains custom code which must be executed to correctly load the model.\n",
        Kind.REMOTE_CODE,
        "The model needs program code from its repository, which is never run here.",
    ),
    (
        f"{BEGUN}  Value error, Model architectures ['LlamaForCausalLM'] failed to be inspected."
        " Please check the logs for more details.\n",
        Kind.BROKEN_INSTALL,
        "The installation of vLLM is damaged.",
    ),
    (
        f"{BEGUN}TimeoutError: Timed out waiting for engine core processes to start. This is often"
        " caused by slow weight loading for large models. Waited 600s.\n",
        Kind.TOO_SLOW,
        "The model was not loaded within the time that vLLM allows.",
    ),
    (
        refused(
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12040).",
            BEGUN,
        ),
        Kind.DRIVER_TOO_OLD,
        "The NVIDIA driver is too old for this vLLM.",
    ),
    (
        "ImportError: libcudart.so.13: cannot open shared object file: No such file or directory\n",
        Kind.DRIVER_TOO_OLD,
        "The NVIDIA driver is too old for this vLLM.",
    ),
    (
        refused("RuntimeError: CUDA unknown error - this may be due to an incorrect set-up", BEGUN),
        Kind.NO_CARD,
        "The engine sees no card.",
    ),
    (
        refused("RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda'"),
        Kind.NO_KERNELS,
        "Kernels of vLLM are missing, and there is no CUDA compiler to make them.",
    ),
    (
        refused("RuntimeError: Failed to find C compiler. Please specify via CC.", BEGUN + LOADING),
        Kind.NO_COMPILER,
        "vLLM compiles at its start, and finds no C compiler or no headers of Python.",
    ),
    (
        f"{BEGUN}KeyError: 'invalid tool call parser: nix (chose from {{ apertus,hermes }})'\n",
        Kind.PARSER,
        "This vLLM has no tool call parser “nix”.",
    ),
    (
        f"{BEGUN}KeyError: \"Reasoning parser 'nix' not found. Available parsers: qwen3\"\n",
        Kind.PARSER,
        "This vLLM has no reasoning parser “nix”.",
    ),
    (
        f"{BEGUN}pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, User-specified max_model_len (40000) is greater than the derived"
        " max_model_len (max_position_embeddings=32768.0 or model_max_length=None)\n",
        Kind.CONTEXT_BEYOND_MODEL,
        "A context of 40,000 is more than the model was made for: 32,768.",
    ),
    (
        f"{BEGUN}OSError: [Errno 98] Address already in use\n",
        Kind.PORT_TAKEN,
        "Another program uses the port of this slot.",
    ),
    (
        refused("OSError: [Errno 28] No space left on device"),
        Kind.DISK_FULL,
        "The disk is full.",
    ),
    (
        refused("PermissionError: [Errno 13] Permission denied: '/.cache'"),
        Kind.NOT_WRITABLE,
        "The engine may not write to /.cache.",
    ),
    (
        refused("safetensors_rust.SafetensorError: Error while deserializing header: incomplete"),
        Kind.BROKEN_WEIGHTS,
        "The model's files are damaged or incomplete.",
    ),
    (
        f"{BEGUN}huggingface_hub.errors.HFValidationError: Repo id must use alphanumeric chars.\n",
        Kind.NO_MODEL,
        "The model's folder is not there.",
    ),
    (
        refused(
            "ValueError: World size (4) is larger than the number of available GPUs (2) in this"
            " node.",
            BEGUN,
        ),
        Kind.TOO_FEW_CARDS,
        "The model is to be divided among 4 cards, and there are 2.",
    ),
    (
        "usage: vllm [-h] [-v]\nvllm: error: unrecognized arguments: --wrong\n",
        Kind.WRONG_FLAG,
        "This vLLM does not take what it was started with: --wrong.",
    ),
    (STARTED + DIED, Kind.CORE_DIED, "The engine's core died while it ran."),
)
