#!/usr/bin/env bash
#
# litellm 1.110.2 with its proxy's packages, Python 3.11 to 3.13, Linux.
#
# Expected: `litellm --validate_config` ends with 1 "on any config error", as its help says; and
# `include` merges files.
# Seen: a misspelt section is taken ("config OK (0 models)", exit code 0), and so is a setting that
# the router does not know (a warning, exit code 0). A file that is included replaces every section
# that is no list as a whole: its `general_settings` would take the master key away.
#
# Berth: counts the models that LiteLLM says it found, repeats the warning, and keeps nothing but the
# list of models in its own file (lib/slots/gateway/validation.py, litellm.py).
#
# LITELLM_VENV names an environment that has it; without it one is made (230 MB to download).

set -euo pipefail

root=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${LITELLM_VENV:-}
if [[ -z $venv ]]; then
  venv=$folder/venv
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes --no-deps \
    --only-binary :all: -r "$root/lib/slots/gateway/litellm-requirements.txt"
fi
export LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_MODE=PRODUCTION MASTER=a-key-for-this

validated() { # CONFIG
  local code=0
  printf '%s\n' "$1" >"$folder/config.yaml"
  "$venv/bin/python" "$venv/bin/litellm" --config "$folder/config.yaml" --validate_config \
    >"$folder/said" 2>&1 || code=$?
  printf '%s: %s' "$code" "$(grep -oE 'config OK.*|is not a valid argument' "$folder/said" | tr '\n' ' ')"
}

model='[{model_name: m, litellm_params: {model: hosted_vllm/m, api_base: "http://127.0.0.1:1/v1"}}]'
right=$(validated "model_list: $model")
section=$(validated "model_lst: $model")
setting=$(validated "{model_list: $model, router_settings: {cooldown_tme: 1}}")
printf 'right           %s\nsection misspelt %s\nsetting misspelt %s\n' "$right" "$section" "$setting"
[[ $right == '0: config OK (1 models)'* && $section == '0: config OK (0 models)'* ]]
[[ $setting == '0: is not a valid argument config OK (1 models)'* ]]

"$venv/bin/python" - <<'PY'
import asyncio

from litellm.proxy.common_utils.config_includes import resolve_includes

base = {"include": ["x"], "general_settings": {"master_key": "k"}, "model_list": [1]}


async def read(location):
    return {"general_settings": {"other": True}, "model_list": [2]}


found = asyncio.run(resolve_includes(base, "/c/config.yaml", lambda entry, _: f"/c/{entry}", read))
print("included:", found)
assert found == {"general_settings": {"other": True}, "model_list": [1, 2]}
PY
echo "as described"
