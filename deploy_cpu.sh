#!/usr/bin/env bash
#
# Deploys a model on this machine's processor: looks it up on the Hugging Face Hub, chooses what fits
# the memory that is free now, downloads it, starts it and tests it.
#
#   ./deploy_cpu.sh Qwen/Qwen2.5-0.5B-Instruct    the best quantization that fits
#   ./deploy_cpu.sh acme/Anvil-8B --quant Q4_K_M --context 16384
#   ./deploy_cpu.sh hf.co/acme/Anvil-8B-GGUF:UD-Q4_K_XL    as other tools name it; an address, too
#   ./deploy_cpu.sh ollama run hf.co/acme/Anvil-8B-GGUF    a command of theirs: its model is deployed here
#   ./deploy_cpu.sh ~/models/anvil-q4_k_m.gguf    a file that is here already: used where it is
#   ./deploy_cpu.sh acme/Anvil-8B --dry-run       the plan and the commands; nothing is changed
#
# The files come from the first of these that has exactly this model, never another in its place:
#   tier 1  the repository's own GGUF files
#   tier 2  the most used GGUF repository that declares it as its base model
#   tier 3  Ollama's library, under its name for this model (with Ollama only)
#
# Options:
#   --quant Q         the quantization, for example Q4_K_M, or the name that the list of files
#                     shows; without it the best that fits
#   --file PATH       this file of the repository, or what is in this folder of it
#   --revision R      a branch, tag or commit of it (main)
#   --context N       tokens of context for each slot; without it at most 8192, and less where needed,
#                     but never less than 4096 by itself
#   --slots N         requests answered at the same time (1)
#   --kv-type T       how the cache of a conversation is stored: f16, or q8_0 in half the memory, or
#                     q4_0 in a quarter, which some models answer worse with
#   --engine E        ollama, llamacpp (the engine that comes with Berth) or auto: Ollama where it
#                     is installed, else llamacpp. What is missing of Ollama is installed.
#   --foreground      run here (the usual way)
#   --background      run as a job that outlives this terminal; the dashboard shows it
#   --accept-danger   use 80 to 95 % of the free memory; beyond that it is always refused
#   --yes             ask nothing; without a terminal nothing is ever asked
#   --dry-run         look everything up, print what would be done, change nothing
#   --help            this text
#
# Environment:
#   HF_TOKEN             a Hub token, for private and gated models
#   HF_ENDPOINT          another Hub
#   BERTH_HOME           where models and records are kept; without it ~/.berth
#   BERTH_STALL_SECONDS  a download without a byte for so long is tried again (30)
#   BERTH_RETRIES        how often in a row (5)
#   BERTH_EVENTS         a file: each step appends its progress to it as a line of JSON
#
# Exit codes:
#   0    done: the model runs and has answered
#   2    bad input: an unknown option, name, quantization or file
#   3    it does not fit the memory that is free
#   4    not found, private or gated
#   5    no disk space
#   6    no network
#   7    an engine failed, or Berth is not installed
#   8    the model runs, and a test failed
#   130  cancelled; what was downloaded is kept, and the same command goes on from there
#
# With TESTING=1 in the environment, `source deploy_cpu.sh` defines the functions and does nothing else.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # somebody typed: sh deploy_cpu.sh
set -euo pipefail

# Where this file lies: it may have been started through a link, from elsewhere, with CDPATH set.
folder_of() { # FILE
  local file=$1 target
  while [[ -L $file ]]; do
    target=$(readlink "$file")
    [[ $target == /* ]] || target=$(dirname "$file")/$target
    file=$target
  done
  (CDPATH="" cd -- "$(dirname "$file")" && pwd)
}

ROOT=$(folder_of "${BASH_SOURCE[0]}")
readonly ROOT
readonly PYTHON=$ROOT/.venv/bin/python
readonly SHARED=$ROOT/lib/jobs/script.sh
[[ -r $SHARED ]] || { printf '%s\n' "This is not Berth's folder." "Clone Berth, run its ./setup.sh, then this there." && exit 7; }
# shellcheck source=lib/jobs/script.sh
source "$SHARED"
readonly INSTALLER=https://ollama.com/install.sh

main() {
  CHILD="" PLAN="" LINKING="" BOLD="" PLAIN=""
  heed
  [[ ! -t 1 ]] || BOLD=$'\033[1m' PLAIN=$'\033[0m'
  parse "$@"
  require_setup
  [[ -z $IN_BACKGROUND ]] || in_background
  PLAN=$(mktemp)
  detect
  plan
  engine
  download
  start
  try
}

# --- what was asked for ---

parse() {
  MODEL="" IS_COMMAND="" QUANT="" FILE="" REVISION="" CONTEXT="" SLOTS=1 KV_TYPE=f16 ENGINE="auto" IN_BACKGROUND="" ACCEPT_DANGER="" YES="" DRY_RUN=""
  ! is_tool "${1:-}" || IS_COMMAND=yes
  while [[ $# -gt 0 ]]; do
    case $1 in
      --quant | --file | --revision | --context | --slots | --kv-type | --engine)
        [[ $# -ge 2 ]] || misused "$1 needs a value."
        set_option "$1" "$2"
        shift
        ;;
      --quant=* | --file=* | --revision=* | --context=* | --slots=* | --kv-type=* | --engine=*) set_option "${1%%=*}" "${1#*=}" ;;
      --foreground) IN_BACKGROUND="" ;;
      --background) IN_BACKGROUND=yes ;;
      --accept-danger) ACCEPT_DANGER=yes ;;
      --yes) YES=yes ;;
      --dry-run) DRY_RUN=yes ;;
      --help) manual && exit 0 ;;
      *) add_word "$1" ;;
    esac
    shift
  done
  [[ -n $MODEL ]] || misused "Which model? Give a repository such as Qwen/Qwen2.5-0.5B-Instruct, or a .gguf file."
  [[ -n $IS_COMMAND ]] || MODEL=$(whole_path "$MODEL")
  REQUEST=(--engine "$ENGINE" --slots "$SLOTS" --kv-type "$KV_TYPE")
  [[ -z $QUANT ]] || REQUEST+=(--quant "$QUANT")
  [[ -z $FILE ]] || REQUEST+=(--file "$FILE")
  [[ -z $REVISION ]] || REQUEST+=(--revision "$REVISION")
  [[ -z $CONTEXT ]] || REQUEST+=(--context "$CONTEXT")
  [[ -z $ACCEPT_DANGER ]] || REQUEST+=(--accept-danger)
}

# Another tool's command may be pasted as it is; of that, Python reads the model.
is_tool() { # WORD
  case $1 in
    *.[gG][gG][uU][fF]) return 1 ;;
  esac
  case ${1##*/} in
    ollama | docker | podman | hf | huggingface-cli | git | lms | vllm | curl | wget | uvx | ramalama) return 0 ;;
    llama | llama-server | llama-cli | llama-run | llama-mtmd-cli | llama-simple-chat) return 0 ;;
    llama-bench | llama-embedding | llama-completion | python | python3 | FROM | sudo) return 0 ;;
    aria2c | axel | iwr | uv | sglang | text-generation-launcher | koboldcpp* | llamafile | nexa | unsloth | llm | jan | local-ai) return 0 ;;
    *) return 1 ;;
  esac
}

add_word() { # WORD
  if [[ -n $IS_COMMAND ]]; then
    MODEL=${MODEL:+$MODEL }$(quoted "$1")
    return
  fi
  case $1 in
    -y) YES=yes ;;
    -h) manual && exit 0 ;;
    -*) misused "Unknown option: $(printable "$1")." ;;
    *)
      if [[ -z $MODEL ]]; then
        MODEL=$1
      elif [[ $1 == *.[gG][gG][uU][fF] && $MODEL != *" "* ]]; then
        MODEL="$MODEL $1" # a repository, then its file
      else
        misused "One model at a time: $(printable "$MODEL") or $(printable "$1")?"
      fi
      ;;
  esac
}

quoted() { # WORD: as one word again, where it has spaces
  case $1 in
    *[[:space:]]*) printf '"%s"' "$1" ;;
    *) printf '%s' "$1" ;;
  esac
}

set_option() { # NAME VALUE
  case $1 in
    --quant) QUANT=$2 ;;
    --file) FILE=$2 ;;
    --revision) REVISION=$2 ;;
    --context) require_number "$1" "$2" && CONTEXT=$2 ;;
    --slots) require_number "$1" "$2" && SLOTS=$2 ;;
    --kv-type)
      case $2 in
        f16 | q8_0 | q4_0) KV_TYPE=$2 ;;
        *) misused "No such type of cache: $(printable "$2"). Choose f16, q8_0 or q4_0." ;;
      esac
      ;;
    --engine)
      case $2 in
        auto | ollama | llamacpp) ENGINE=$2 ;;
        *) misused "No such engine: $(printable "$2"). Choose auto, ollama or llamacpp." ;;
      esac
      ;;
  esac
}

require_number() { # OPTION TEXT
  [[ $2 =~ ^[1-9][0-9]{0,7}$ ]] || misused "$1 needs a number, not $(printable "$2")."
}

# A file or a folder may be given by any path; organisation/name means the Hub, whatever is here.
whole_path() { # MODEL
  local here=""
  case $1 in
    /*) ;;
    . | .. | ./* | ../* | */) here=$PWD/ ;;
    *" "* | *:* | */*/*) [[ ! -e $1 ]] || here=$PWD/ ;;
    *.[gG][gG][uU][fF]) here=$PWD/ ;;
    */*) [[ ! -f $1 ]] || here=$PWD/ ;;
    *) [[ ! -e $1 ]] || here=$PWD/ ;;
  esac
  printf '%s%s' "$here" "$1"
}

misused() { # WHAT
  fail 2 "$1" "Usage: ./deploy_cpu.sh MODEL [--quant Q] [--file PATH] [--revision R] [--context N] [--engine auto|ollama|llamacpp] [--background] [--yes] [--dry-run] [--help]"
}

require_setup() {
  [[ ${BERTH_HOME:-/} == /* ]] || export BERTH_HOME=$PWD/$BERTH_HOME
  [[ -x $PYTHON ]] || fail 7 "Berth is not installed in this folder yet." "Run ./setup.sh --install-only, then this again."
  cd "$ROOT"
}

manual() {
  sed -n -e '/^#!/d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$ROOT/deploy_cpu.sh"
}

# --- the phases ---

detect() {
  CPU="" CORES="" FREE_BYTES="" TOTAL_BYTES=""
  begin detect "Looking at this machine."
  case $(uname -s) in
    Darwin) detect_macos ;;
    *) detect_linux ;;
  esac
  [[ $FREE_BYTES =~ ^[0-9]+$ && $TOTAL_BYTES =~ ^[0-9]+$ ]] || fail 7 "This machine does not tell how much memory it has."
  end detect "$CPU, $CORES cores, $(gib "$FREE_BYTES") of $(gib "$TOTAL_BYTES") GiB memory free."
}

detect_macos() {
  CPU="macOS $(uname -m), $(sysctl -n machdep.cpu.brand_string 2>/dev/null || true)"
  CORES=$(sysctl -n hw.physicalcpu)
  TOTAL_BYTES=$(sysctl -n hw.memsize)
  FREE_BYTES=$(vm_stat | free_bytes_of_vm_stat)
}

# What a new program could get without swapping: pages that are free, or hold what can be dropped.
free_bytes_of_vm_stat() {
  awk '/page size of/ { for (i = 1; i < NF; i++) if ($i == "of") size = $(i + 1) }
    /^Pages free:|^Pages inactive:|^Pages speculative:/ { pages += $NF }
    END { if (size && pages) printf "%.0f", pages * size }'
}

# Python, because a container may have less than /proc/meminfo says.
detect_linux() {
  local name
  name=$(cpu_name /proc/cpuinfo)
  CPU="$(uname -sm)${name:+, $name}"
  read -r CORES FREE_BYTES TOTAL_BYTES < <(
    "$PYTHON" -c 'from lib.engines.room import room_now; from lib.machine.sampler import machine; now = room_now(); print(machine().cores, now.free_bytes, now.total_bytes)'
  ) || true
}

# By one program alone: of a large machine there is more than a pipe holds, and whoever reads only
# the first line of it would end the writer, and with it this script.
cpu_name() { # FILE
  sed -n '/^model name/{s/^[^:]*: *//p;q;}' "$1" 2>/dev/null || true
}

plan() {
  local code=0
  wait_for "$PYTHON" -m lib.deploy plan "${REQUEST[@]}" --save "$PLAN" \
    --free-bytes "$FREE_BYTES" --total-bytes "$TOTAL_BYTES" "$MODEL" || code=$?
  if [[ $code == 3 && $(value tight) == yes ]] && asks; then
    confirm "Use that much memory?" n || exit 3
  elif [[ $code != 0 ]]; then
    exit "$code"
  elif asks; then
    confirm "Go on?" y || cancelled
  fi
  ENGINE=$(value engine) NAME=$(value name)
}

value() { # NAME: what the plan says
  sed -n "s/^$1=//p" "$PLAN"
}

engine() {
  if [[ $ENGINE == llamacpp ]]; then
    event engine skipped "The built-in engine is always there."
    return
  fi
  begin engine "Making Ollama available."
  [[ $(value engine_installed) == yes ]] || install_ollama
  run "$PYTHON" -m lib.engines serve
  end engine
}

install_ollama() {
  if [[ -n $DRY_RUN ]]; then
    say "  would run the official installer of Ollama"
    return
  fi
  if asks; then
    confirm "Ollama is not installed. Install it from ollama.com?" y || cancelled
  elif [[ -z $YES ]]; then
    broken engine "Ollama is not installed." "Run this again with --yes to install it, or with --engine llamacpp."
  fi
  if [[ $(uname -s) == Darwin ]]; then
    has brew || broken engine "Ollama is not installed." "Download it from https://ollama.com/download, open it once, then run this again."
    wait_for brew install ollama || broken engine "Homebrew could not install Ollama." "Download it from https://ollama.com/download, or use --engine llamacpp."
  else
    local script
    script=$(mktemp)
    wait_for curl -fsSL -o "$script" "$INSTALLER" || broken engine "Ollama's installer could not be downloaded from $INSTALLER." "Check the network, or use --engine llamacpp."
    wait_for sh "$script" || broken engine "Ollama's installer failed." "Install Ollama by hand from https://ollama.com/download, or use --engine llamacpp."
    rm -f "$script"
  fi
}

download() {
  if [[ $ENGINE == llamacpp ]]; then
    fetch
  elif [[ $(value installed) == yes ]]; then
    event download skipped "Ollama has it already."
  elif [[ $(value pulled) == yes ]]; then
    run "$PYTHON" -m lib.engines pull "$NAME" --sha256 "$(value sha256)"
  elif [[ $(value tier) == 0 ]]; then
    run "$PYTHON" -m lib.engines create "$NAME" "$(value first)"
  else
    fetch
    run "$PYTHON" -m lib.engines create "$NAME" "$(value first)" --move
  fi
}

fetch() {
  local files=() file
  if [[ $(value tier) == 0 ]]; then
    event download skipped "The file is on this machine."
    return
  fi
  while IFS= read -r file; do files+=("$file"); done < <(value file)
  run "$PYTHON" -m lib.download.hub_files "$(value repository)" "$(value revision)" "${files[@]}"
}

start() {
  local code=0
  [[ $ENGINE == ollama ]] || adopt
  run "$PYTHON" -m lib.fleet start "$NAME" --engine "$ENGINE" --context "$(value context)" --slots "$SLOTS" --kv-type "$KV_TYPE" || code=$?
  LINKING="" # it runs, or the step has taken the link back
  [[ $code == 0 ]] || exit "$code"
}

# The built-in engine names a model after its file. A file elsewhere is linked to; the link is taken
# back where the model does not come to run.
adopt() {
  local command=("$PYTHON" -m lib.engines adopt "$(value first)" --for "$$")
  NAME="the-name-it-prints"
  if [[ -n $DRY_RUN ]]; then
    run "${command[@]}"
  else
    LINKING=yes
    NAME=$("${command[@]}")
  fi
}

undo() {
  [[ -n ${LINKING:-} ]] || return 0
  LINKING=""
  "$PYTHON" -m lib.fleet give-back --for "$$" || true
}

try() {
  run "$PYTHON" -m lib.deploy.smoke "$NAME" --engine "$ENGINE"
}

in_background() {
  run "$PYTHON" -m lib.deploy start "${REQUEST[@]}" "$MODEL"
  exit 0
}

# --- words, events, processes ---

begin() { # PHASE TEXT
  say "$BOLD$2$PLAIN"
  event "$1" running "$2"
}

end() { # PHASE [TEXT]
  [[ $# -lt 2 ]] || say "$2"
  event "$1" succeeded "${2:-}"
}

broken() { # PHASE WHAT FIX
  event "$1" failed "$2 $3"
  fail 7 "$2" "$3"
}

event() { # PHASE STATE NOTE
  [[ -n ${BERTH_EVENTS:-} ]] || return 0
  printf '{"at": %s, "phase": "%s", "state": "%s", "note": "%s"}\n' \
    "$(date +%s)" "$1" "$2" "$(printf '%s' "$3" | LC_ALL=C tr -cd '[:print:]' | sed 's/[\"]/\\&/g')" >>"$BERTH_EVENTS" || true
}

killed() { # SIGNAL WHY
  fail 7 "A step was ended from outside (signal $1), $2." \
    "Stop another model or choose a smaller quantization, then try again."
}

run() { # COMMAND…
  if [[ -n $DRY_RUN ]]; then
    say "  would run: $*"
  else
    wait_for "$@"
  fi
}

gib() { # BYTES
  printf '%s.%s' $(($1 / 1073741824)) $(($1 % 1073741824 * 10 / 1073741824))
}

has() { # COMMAND
  command -v "$1" >/dev/null 2>&1
}

if [[ ${BASH_SOURCE[0]} == "$0" || -z ${TESTING:-} ]]; then
  main "$@"
fi
