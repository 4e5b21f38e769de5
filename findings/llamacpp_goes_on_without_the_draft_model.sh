#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# Expected: a server that was told to draft with a model whose vocabulary is another than the large
# model's (llama-server's `-md`) refuses to start, as it does where that file is missing.
# Seen: it says "the target and draft vocabs are not compatible" and "failed to initialize speculative
# decoding context" in its log, and serves all the same, without drafting: neither /health nor /props
# nor an answer tells, but for `draft_n`, which is missing in `timings`.
#
# Berth: reads the log once the model is ready, and says so beside the model
# (lib/engines/llamacpp/drafts.py).

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
  xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6

cat >"$folder/make.py" <<'PY'
"""A Llama of one layer with this many words beside its bytes, whose weights are all zero."""
import sys

import gguf
import numpy as np

WIDTH, more = 64, int(sys.argv[2])
words = [f"<0x{byte:02X}>" for byte in range(128)] + ["<unk>", "<s>", "</s>"]
words += [f"word{number}" for number in range(more)]
model = gguf.GGUFWriter(sys.argv[1], "llama")
model.add_context_length(1024)
model.add_embedding_length(WIDTH)
model.add_block_count(1)
model.add_feed_forward_length(WIDTH)
model.add_head_count(1)
model.add_head_count_kv(1)
model.add_layer_norm_rms_eps(1e-6)
model.add_tokenizer_model("llama")
model.add_token_list(words)
model.add_token_scores([0.0] * len(words))
model.add_token_types([6] * 128 + [2, 3, 3] + [1] * more)
shapes = {"token_embd": (len(words), WIDTH), "output_norm": (WIDTH,)}
for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
    shapes[f"blk.0.{part}"] = (WIDTH, WIDTH)
for part in ("attn_norm", "ffn_norm"):
    shapes[f"blk.0.{part}"] = (WIDTH,)
for name, shape in shapes.items():
    model.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
model.write_header_to_file()
model.write_kv_data_to_file()
model.write_tensors_to_file()
model.close()
PY
cat >"$folder/ask.py" <<'PY'
"""Serve the first with the second as its draft model; what health and an answer say."""
import json
import os
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
params.warmup = False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.speculative.draft.mparams.path = sys.argv[2]
params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
server = xllamacpp.Server(params)
where = server.listening_address
health = json.load(urllib.request.urlopen(f"{where}/health"))
body = json.dumps({"prompt": [1, 2, 3], "n_predict": 8, "ignore_eos": True}).encode()
asked = urllib.request.Request(f"{where}/completion", body, {"Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(asked))
print(f"health {health['status']}, wrote {answer['tokens_predicted']}", flush=True)
print("it drafted" if answer["timings"].get("draft_n") else "it drafted nothing", flush=True)
os._exit(0)
PY

make() { "$folder/venv/bin/python" "$folder/make.py" "$folder/$1.gguf" "$2"; }
ask() { "$folder/venv/bin/python" "$folder/ask.py" "$folder/large.gguf" "$folder/$1.gguf" 2>"$folder/log"; }
make large 0
make same 0
make other 400

same=$(ask same)
printf 'same vocabulary: %s\n' "${same//$'\n'/, }"
other=$(ask other)
why=$(sed -n 's/.*failed to initialize speculative decoding context: \(.*\)/\1/p' "$folder/log")
printf 'another vocabulary: %s; its log: %s\n' "${other//$'\n'/, }" "$why"
[[ $same == *'it drafted' && $other == 'health ok, wrote 8'*'it drafted nothing' && -n $why ]]
