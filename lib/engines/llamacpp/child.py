"""Serves one model with the engine of the wheel: `python -I llamacpp_child.py OPTIONS_FILE`.

It runs until it is told to end, whatever becomes of the dashboard. The signals keep their default
action, because Python's would wait until the model is loaded.
"""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def main(options: dict[str, Any]) -> None:
    """Load the model, then serve it; the reason of a failure is what the engine printed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import xllamacpp  # 34 MB of machine code, which the dashboard must never load

    _server = xllamacpp.Server(parameters(xllamacpp, options))  # works in threads of its own
    threading.Event().wait()


def parameters(xl: Any, options: dict[str, Any]) -> Any:
    """The engine's own form of our options; what is not set here has its default."""
    params = xl.CommonParams()
    params.model.path = options["path"]
    params.model_alias = {options["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = options["port"]
    params.api_keys = [Path(options["key_file"]).read_text(encoding="utf-8").strip()]
    if options["task"] != "writing":
        params.embedding = True
        params.n_batch = params.n_ubatch = options["batch"]
    if options["task"] == "ranking":
        params.pooling_type = xl.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    if options["template"]:
        params.chat_template = Path(options["template"]).read_text("utf-8", "replace")
    params.mmproj.path = options["projector"]
    if options["image_tokens"]:
        params.image_max_tokens = options["image_tokens"]
    params.mmproj_use_gpu = options["gpu_layers"] != 0
    if options["draft"]:
        draft = params.speculative.draft
        draft.mparams.path = options["draft"]
        draft.n_gpu_layers = options["gpu_layers"]
        draft.cpuparams.n_threads = draft.cpuparams_batch.n_threads = options["threads"]
        kinds = xl.common_speculative_type
        params.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
    params.ctx_shift = False  # what outgrows the context ends, and loses nothing silently
    params.n_ctx = options["context"]
    params.n_parallel = options["slots"]
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    params.cache_type_k = params.cache_type_v = getattr(
        xl.ggml_type, f"GGML_TYPE_{options['kv_type'].upper()}"
    )
    params.flash_attn_type = xl.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO
    params.cache_ram_mib = options["prompt_cache_mib"]
    params.n_ctx_checkpoints = options["checkpoints"]
    params.n_gpu_layers = options["gpu_layers"]
    params.fit_params = options["gpu_layers"] != 0  # without a GPU it only loads the model twice
    params.endpoint_metrics = params.endpoint_slots = params.endpoint_props = True
    params.ui = False
    params.offline = True
    return params


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
