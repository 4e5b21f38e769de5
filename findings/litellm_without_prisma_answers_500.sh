#!/usr/bin/env bash
#
# litellm 1.110.2 with the packages of its proxy extra, no database; Python 3.11 to 3.13, Linux.
#
# Expected: a request that the proxy refuses (a field such as `api_base` in its body) gets its
# reason as JSON. The extra `proxy` is all that the proxy needs.
# Seen: 500 "Internal Server Error" as plain text, because the code that handles the error imports
# prisma, which belongs to another extra. With prisma installed: 401 and the reason.
# (`pip install 'litellm[proxy]==1.110.2'` itself fails: the extra names litellm-proxy 1.110.2,
# which no index has. So the extra's lines are installed one by one.)
#
# Berth: prisma is in the list that LiteLLM is installed from.
#
# LITELLM_VENV names an environment that has it; without it one is made (230 MB to download).

set -euo pipefail

root=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
server=""
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
venv=${LITELLM_VENV:-}
if [[ -z $venv ]]; then
  venv=$folder/venv
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes --no-deps \
    --only-binary :all: -r "$root/lib/slots/gateway/litellm-requirements.txt"
fi
cat >"$folder/config.yaml" <<'YAML'
model_list: [{model_name: m, litellm_params: {model: hosted_vllm/m, api_base: "http://127.0.0.1:1/v1"}}]
general_settings: {master_key: os.environ/MASTER}
YAML
# A module of this name that cannot be imported stands for its absence.
mkdir "$folder/hidden"
echo 'raise ModuleNotFoundError("No module named prisma")' >"$folder/hidden/prisma.py"
export LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_MODE=PRODUCTION MASTER=a-key-for-this

answer() { # PYTHONPATH
  PYTHONPATH=$1 "$venv/bin/python" "$venv/bin/litellm" --config "$folder/config.yaml" \
    --host 127.0.0.1 --port 8196 >"$folder/log" 2>&1 &
  server=$!
  curl -s -o /dev/null --retry 600 --retry-delay 1 --retry-connrefused \
    http://127.0.0.1:8196/health/liveliness
  curl -s -w ' [%{http_code}]' -H 'Authorization: Bearer a-key-for-this' \
    -H 'Content-Type: application/json' http://127.0.0.1:8196/v1/chat/completions \
    -d '{"model": "m", "messages": [{"role": "user", "content": "x"}], "api_base": "http://127.0.0.1:2"}' |
    cut -c 1-110
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=""
}

without=$(answer "$folder/hidden")
with=$(answer "")
printf 'without prisma: %s\nwith prisma:    %s\n' "$without" "$with"
[[ $without == 'Internal Server Error [500]' && $with == *'api_base is not allowed'* ]]
echo "as described"
