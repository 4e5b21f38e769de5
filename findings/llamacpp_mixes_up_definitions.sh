#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# A JSON schema with two definitions whose names differ in a sign alone: `a-b` and `a_b`.
# Expected: each reference leads to the definition that it names.
# Seen: both lead to the one that is met first, without a word; whoever needs the second can get no
# right reply. Under names of letters and digits each leads to its own.
#
# Berth: definitions get plain names before they go to the engine (lib/chat/schemas/work.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
  xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6

cat >"$folder/make.py" <<'PY'
"""A language model of a few thousand weights, all of them zero; each byte is a token of it."""
import sys

import gguf
import numpy as np

WIDTH, WORDS = 64, [f"<0x{byte:02X}>" for byte in range(256)] + ["<unk>", "<s>", "</s>"]
text = gguf.GGUFWriter(sys.argv[1], "llama")
text.add_context_length(4096)
text.add_embedding_length(WIDTH)
text.add_block_count(1)
text.add_feed_forward_length(WIDTH)
text.add_head_count(1)
text.add_layer_norm_rms_eps(1e-5)
text.add_tokenizer_model("llama")
text.add_token_list(WORDS)
text.add_token_scores([0.0] * len(WORDS))
text.add_token_types([6] * 256 + [2, 3, 3])
text.add_chat_template("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
shapes = {"token_embd": (len(WORDS), WIDTH), "output": (len(WORDS), WIDTH)}
shapes |= {"output_norm": (WIDTH,), "blk.0.attn_norm": (WIDTH,), "blk.0.ffn_norm": (WIDTH,)}
parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
shapes |= {f"blk.0.{part}": (WIDTH, WIDTH) for part in parts}
for name, shape in shapes.items():
    text.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
text.write_header_to_file()
text.write_kv_data_to_file()
text.write_tensors_to_file()
text.close()
PY
cat >"$folder/ask.py" <<'PY'
"""To which definition do two references lead?"""
import json
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], 0, 1024
params.n_gpu_layers, params.warmup, params.verbosity = 0, False, 0
server = xllamacpp.Server(params)


def asked(schema, wanted):
    """What a model writes that likes these characters best, in this order of liking."""
    bias = [[token, 90 - 10 * wanted.index(chr(token))] for token in range(128) if chr(token) in wanted]
    body = {
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 40,
        "temperature": 0,
        "logit_bias": bias,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    }
    request = urllib.request.Request(
        f"{server.listening_address}/v1/chat/completions", json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]


for one, other in (("ab", "ba"), ("a-b", "a_b")):
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": f"#/$defs/{one}"}, "y": {"$ref": f"#/$defs/{other}"}},
        "required": ["x", "y"],
        "$defs": {one: {"const": 1}, other: {"const": 2}},
    }
    said = json.loads(asked(schema, "2}"))
    print(f"{one} and {other}: {said['x']} and {said['y']}")
PY
"$folder/venv/bin/python" "$folder/make.py" "$folder/text.gguf"
"$folder/venv/bin/python" "$folder/ask.py" "$folder/text.gguf" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
ab and ba: 1 and 2
a-b and a_b: 1 and 1
SEEN
