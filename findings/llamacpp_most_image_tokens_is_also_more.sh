#!/usr/bin/env bash
#
# xllamacpp 2026.10.11549 (llama.cpp of 2026-10) with gguf 0.19.0, Python 3.11 to 3.13.
#
# Expected: `image_max_tokens` (llama-server's `--image-max-tokens`, "maximum number of tokens each
# image can take") takes detail away where it is below what a model takes by itself, and does nothing
# where it is above.
# Seen: it takes the place of the model's own limit. Pixtral's is 1,024 tokens (802,816 pixels); with
# 1,400 an image may have 1,097,600 pixels, which nobody trained it for and which needs more working
# memory. With 256 it has 200,704, as one would think.
#
# Berth: sets the limit only for models whose own is higher, by the projector's type
# (lib/fit/image_work.py, LIMITED).

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
  xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6

cat >"$folder/make.py" <<'PY'
"""A language model and a Pixtral projector of a few thousand weights, all of them zero."""
import sys

import gguf
import numpy as np

WIDTH, WORDS = 64, [f"<0x{byte:02X}>" for byte in range(128)] + ["<unk>", "<s>", "</s>"]


def zeros(writer, **shapes):
    for name, shape in shapes.items():
        writer.add_tensor(name.replace("__", "."), np.zeros(shape, np.float32))


def done(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


text = gguf.GGUFWriter(f"{sys.argv[1]}/text.gguf", "llama")
text.add_context_length(4096)
text.add_embedding_length(WIDTH)
text.add_block_count(1)
text.add_feed_forward_length(WIDTH)
text.add_head_count(1)
text.add_layer_norm_rms_eps(1e-5)
text.add_tokenizer_model("llama")
text.add_token_list(WORDS)
text.add_token_scores([0.0] * len(WORDS))
text.add_token_types([6] * 128 + [2, 3, 3])
square, flat = (WIDTH, WIDTH), (WIDTH,)
zeros(text, token_embd__weight=(len(WORDS), WIDTH), output__weight=(len(WORDS), WIDTH))
zeros(text, output_norm__weight=flat, blk__0__attn_norm__weight=flat, blk__0__ffn_norm__weight=flat)
parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
zeros(text, **{f"blk__0__{part}__weight": square for part in parts})
done(text)

eye = gguf.GGUFWriter(f"{sys.argv[1]}/eye.gguf", "clip")
eye.add_string("clip.projector_type", "pixtral")
eye.add_bool("clip.has_vision_encoder", True)
eye.add_bool("clip.use_silu", True)
numbers = {"image_size": 1540, "patch_size": 14, "embedding_length": WIDTH, "block_count": 1}
numbers |= {"feed_forward_length": WIDTH, "projection_dim": WIDTH, "spatial_merge_size": 2}
for name, number in (numbers | {"attention.head_count": 1}).items():
    eye.add_uint32(f"clip.vision.{name}", number)
eye.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
for name in ("mean", "std"):
    eye.add_array(f"clip.vision.image_{name}", [0.5] * 3)
zeros(eye, v__patch_embd__weight=(WIDTH, 3, 14, 14), v__pre_ln__weight=flat)
zeros(eye, v__blk__0__ln1__weight=flat, v__blk__0__ln2__weight=flat, mm__input_norm__weight=flat)
parts = ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_gate", "ffn_up", "ffn_down")
zeros(eye, **{f"v__blk__0__{part}__weight": square for part in parts})
zeros(eye, mm__1__weight=square, mm__1__bias=flat, mm__2__weight=square, mm__2__bias=flat)
zeros(eye, mm__patch_merger__weight=(WIDTH, 4 * WIDTH), v__token_embd__img_break=flat)
done(eye)
PY
cat >"$folder/load.py" <<'PY'
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.mmproj.path = sys.argv[1:3]
params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], 0, 256
params.mmproj_use_gpu, params.n_gpu_layers, params.warmup, params.verbosity = False, 0, False, 4
if int(sys.argv[3]):
    params.image_max_tokens = int(sys.argv[3])
xllamacpp.Server(params)
PY

most_pixels() { # TOKENS
  "$folder/venv/bin/python" "$folder/load.py" "$folder/text.gguf" "$folder/eye.gguf" "$1" \
    >"$folder/log" 2>&1
  sed -n 's/.*image_max_pixels: *\([0-9]*\).*/\1/p' "$folder/log" | tail -n 1
}

"$folder/venv/bin/python" "$folder/make.py" "$folder"
own=$(most_pixels 0) less=$(most_pixels 256) more=$(most_pixels 1400)
printf 'own limit %s pixels, with 256 tokens %s, with 1,400 tokens %s\n' "$own" "$less" "$more"
[[ $own == 802816 && $less == 200704 && $more == 1097600 ]]
