#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# A conversation that ends with a begun reply is sent to be continued, with and without a stream.
# Expected: the same text either way.
# Seen: a whole answer says the beginning again before what is new, a stream begins with what is
# new; the tokens that are counted are the same. So a client that takes a beginning off loses a
# word of a stream where the first token begins with it.
#
# Berth: takes nothing off this engine's streams (lib/engines/messages.py).

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
"""Does a continued reply say its beginning again?"""
import json
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], 0, 1024
params.n_gpu_layers, params.warmup, params.verbosity = 0, False, 0
server = xllamacpp.Server(params)


BODY = {
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "abc"},
    ],
    "max_tokens": 3,
    "temperature": 0,
    "logit_bias": [[ord("a"), 90]],
}


def sent(**more):
    request = urllib.request.Request(
        f"{server.listening_address}/v1/chat/completions", json.dumps({**BODY, **more}).encode(),
        {"Content-Type": "application/json"},
    )
    return urllib.request.urlopen(request)


with sent() as answer:
    found = json.load(answer)
print("whole:", found["choices"][0]["message"]["content"], found["usage"]["completion_tokens"])
with sent(stream=True) as answer:
    lines = [line[6:] for line in answer.read().decode().splitlines() if line.startswith("data: {")]
chunks = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
pieces = [chunk["content"] for chunk in chunks if chunk.get("content")]
print("stream:", "".join(pieces), len(pieces))
PY
"$folder/venv/bin/python" "$folder/make.py" "$folder/text.gguf"
"$folder/venv/bin/python" "$folder/ask.py" "$folder/text.gguf" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
whole: abcaaa 3
stream: aaa 3
SEEN
