#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# A coding agent puts `x-anthropic-billing-header: cc_version=2.1.100.7b4; …; cch=eb6c6;` before its
# system prompt; the two odd numbers may differ in each request.
# Expected: the engine either knows that line or reads the whole prompt anew, in every dialect alike.
# Seen: in /v1/messages it overlooks `cch` where that is the very beginning and has five digits, and
# the rest of the prompt is known from the last request. Where the version's end changes, `cch` has
# six digits, or the line comes in /v1/chat/completions, all that follows it is read anew.
#
# Berth: takes the whole line out, in every dialect (lib/api/shield/steady.py).

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
"""Of a prompt that differs in one number: is the rest known from the last request?"""
import json
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], 0, 1024
params.n_gpu_layers, params.warmup, params.verbosity = 0, False, 0
server = xllamacpp.Server(params)


def asked(path, **body):
    request = urllib.request.Request(
        f"{server.listening_address}{path}", json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def messages(system):
    said = [{"role": "user", "content": "Hello"}]
    return asked("/v1/messages/count_tokens", system=system, messages=said)["input_tokens"]


def chat(system):
    said = [{"role": "system", "content": system}, {"role": "user", "content": "Hello"}]
    return asked("/v1/chat/completions", messages=said, max_tokens=1)["usage"]["prompt_tokens"]



def again(way, first, second):
    """Of the second prompt: how many tokens were known, and how many were read anew."""
    way(first)
    return way(second)


def messages(system):
    said = [{"role": "user", "content": "Hello"}]
    usage = asked("/v1/messages", system=system, messages=said, max_tokens=1)["usage"]
    return usage["cache_read_input_tokens"], usage["input_tokens"]


def chat(system):
    said = [{"role": "system", "content": system}, {"role": "user", "content": "Hello"}]
    usage = asked("/v1/chat/completions", messages=said, max_tokens=1)["usage"]
    known = usage["prompt_tokens_details"]["cached_tokens"]
    return known, usage["prompt_tokens"] - known


LINE = "x-anthropic-billing-header: cc_version=2.1.100.%s; cc_entrypoint=cli; cch=%s;\n%s"
REST = "You are a careful agent. " * 4
PAIRS = {
    "cch": (("7b4", "eb6c6"), ("7b4", "0aaa9")),
    "longer cch": (("7b4", "eb6c61"), ("7b4", "0aaa92")),
    "version": (("7b4", "eb6c6"), ("1f2", "eb6c6")),
}
for way in (messages, chat):
    for what, (first, second) in PAIRS.items():
        known, new = again(way, LINE % (*first, REST), LINE % (*second, REST))
        print(f"{way.__name__}, {what}: {'known' if new < 8 else 'read anew'}")
PY
"$folder/venv/bin/python" "$folder/make.py" "$folder/text.gguf"
"$folder/venv/bin/python" "$folder/ask.py" "$folder/text.gguf" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
messages, cch: known
messages, longer cch: read anew
messages, version: read anew
chat, cch: read anew
chat, longer cch: read anew
chat, version: read anew
SEEN
