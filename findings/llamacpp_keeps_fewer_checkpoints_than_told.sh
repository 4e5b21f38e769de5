#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# Expected: `n_ctx_checkpoints` (llama-server's `--ctx-checkpoints N`, "max number of context
# checkpoints to create per slot") keeps the last N copies of a sliding window, one per long prompt.
# Seen: a new one takes the place of one that is less than 8,192 tokens before it ("min spacing =
# 8192", "erasing context checkpoint too close to an earlier one"). With a context of 8,192 and four
# allowed there are never more than three, however many prompts come; and each holds the tokens of
# the window alone, not of the window's whole cache.
#
# Berth: counts copies by the window, as many as it allows (lib/fit/context_checkpoints.py): an upper
# bound, which is met with longer contexts.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
  xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6

cat >"$folder/make.py" <<'PY'
"""A Gemma 3 of two layers, both with a window of 512 tokens, whose weights are all zero."""
import sys

import gguf
import numpy as np

WIDTH, WORDS = 64, [f"<0x{byte:02X}>" for byte in range(128)] + ["<unk>", "<s>", "</s>"]
model = gguf.GGUFWriter(sys.argv[1], "gemma3")
model.add_context_length(32768)
model.add_embedding_length(WIDTH)
model.add_block_count(2)
model.add_feed_forward_length(WIDTH)
model.add_head_count(1)
model.add_head_count_kv(1)
model.add_key_length(WIDTH)
model.add_value_length(WIDTH)
model.add_layer_norm_rms_eps(1e-6)
model.add_sliding_window(512)
model.add_tokenizer_model("llama")
model.add_token_list(WORDS)
model.add_token_scores([0.0] * len(WORDS))
model.add_token_types([6] * 128 + [2, 3, 3])
shapes = {"token_embd": (len(WORDS), WIDTH), "output_norm": (WIDTH,)}
for layer in range(2):
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.{layer}.{part}"] = (WIDTH, WIDTH)
    for part in ("attn", "attn_q", "attn_k", "post_attention", "ffn", "post_ffw"):
        shapes[f"blk.{layer}.{part}_norm"] = (WIDTH,)
for name, shape in shapes.items():
    model.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
model.write_header_to_file()
model.write_kv_data_to_file()
model.write_tensors_to_file()
model.close()
PY
cat >"$folder/ask.py" <<'PY'
"""Serve it, send prompts that get longer, and stop."""
import json
import os
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.n_gpu_layers = 8192, 1, 0
params.n_ctx_checkpoints, params.cache_ram_mib = 4, 0
params.warmup, params.verbosity = False, 4
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(params)
for tokens in range(1000, 8000, 1000):
    body = {"prompt": [number % 100 for number in range(tokens)], "n_predict": 1}
    asked = urllib.request.Request(
        f"{server.listening_address}/completion",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(asked).read()
sys.stdout.flush()
os._exit(0)
PY

"$folder/venv/bin/python" "$folder/make.py" "$folder/model.gguf"
"$folder/venv/bin/python" "$folder/ask.py" "$folder/model.gguf" >"$folder/log" 2>&1
most=$(sed -n 's/.*created context checkpoint \([0-9]*\) of 4.*/\1/p' "$folder/log" | sort -n | tail -n 1)
made=$(grep -c 'created context checkpoint' "$folder/log")
erased=$(grep -c 'erasing context checkpoint too close' "$folder/log")
largest=$(sed -n 's/.*created context checkpoint.*size = \([0-9.]*\) MiB.*/\1/p' "$folder/log" | sort -n | tail -n 1)
spacing=$(sed -n 's/.*context checkpoints enabled, max = \(.*\)/\1/p' "$folder/log" | tail -n 1)
printf 'allowed: %s; made %s, erased %s, kept at most %s; the largest has %s MiB\n' \
  "$spacing" "$made" "$erased" "$most" "$largest"
[[ $spacing == '4, min spacing = 8192'* && $most == 3 && $made -gt 8 && $erased -gt 4 ]]
# 512 tokens of two layers, keys and values of 64 numbers in 16 bits: 0.25 MiB; the cache has 1,024.
[[ $largest == 0.25* ]]
