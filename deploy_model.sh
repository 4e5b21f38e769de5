#!/usr/bin/env bash
#
# Deploys a model on an NVIDIA card of this server: looks it up on the Hugging Face Hub, says whether
# it fits the card's memory that is free now, downloads it, and has systemd run it in vLLM, behind
# LiteLLM and nginx. What it changes it can undo, and does where a step fails: the model that ran on
# the slot before runs again then.
#
#   ./deploy_model.sh Qwen/Qwen2.5-7B-Instruct 0     on slot 0, with the context that fits
#   ./deploy_model.sh acme/Anvil-8B 1 --max-model-len 16384 --served-name anvil
#   ./deploy_model.sh acme/Anvil-70B 0 --tensor-parallel 4
#   ./deploy_model.sh acme/Anvil-8B 0 --dry-run      every file and command; nothing is changed
#   ./deploy_model.sh --remove 0                     undoes everything on slot 0
#   ./deploy_model.sh acme/Anvil-405B 0 --nodes 2 --addresses 10.0.0.1,10.0.0.2 --tensor-parallel 8
#
# Slot N serves at 127.0.0.1, port 8104 + N, and uses card N where no other is named.
#
# Options:
#   --max-model-len N     tokens of context, or auto: as many as fit (auto)
#   --served-name S       what clients call the model; without it the repository's name
#   --tensor-parallel N   as many cards for the one model (1)
#   --cards UUID,…        these cards, as nvidia-smi -L names them
#   --quantization Q      fp8_per_tensor: halve the weights of a bf16 model while it is loaded
#   --kv-cache-dtype fp8  half the memory for each conversation
#   --max-num-seqs N      requests answered at the same time (64)
#   --gpu-memory-utilization U  so much of each card, up to 0.98 (as much as can be had, up to 0.92)
#   --text-only           no images: leaves more of the card to conversations
#   --without-gateway     without LiteLLM
#   --without-nginx       without nginx
#   --background          run as a job that outlives this terminal; the dashboard shows it
#   --yes                 ask nothing; without a terminal nothing is ever asked
#   --dry-run             look everything up, print what would be done, change nothing
#   --remove              take the slot's model, service and entries away again
#   --help                this text
#
# One model on several servers (nothing is started; a unit file for each is written):
#   --nodes N             on so many servers
#   --addresses A,B,…     their addresses in the private network; the first is the head
#   --nic NAME            the network card that they use
#   --output FOLDER       where the files go (berth-nodes)
#
# Environment:
#   HF_TOKEN             a Hub token, for private and gated models
#   HF_ENDPOINT          another Hub
#   BERTH_HOME           where Berth keeps its records; without it ~/.berth
#   BERTH_STALL_SECONDS  a download without a byte for so long is tried again (30)
#   BERTH_RETRIES        how often in a row (5)
#   BERTH_EVENTS         a file: each step appends its progress to it as a line of JSON
#   BERTH_SYSTEM_ROOT    for tests and for a look at what would be written: a folder that stands
#                        for / of the server; commands are run all the same
#
# Exit codes:
#   0    done: the model runs and has answered
#   2    bad input: an unknown option, slot, name or model
#   3    it does not fit the card
#   4    not found, private or gated
#   5    no disk space
#   6    no network
#   7    something is missing on this server, or a service failed
#   8    the model ran, and a test failed; the server is as it was before
#   130  cancelled; what was downloaded is kept, and the same command goes on from there
#
# With TESTING=1 in the environment, `source deploy_model.sh` defines the functions and does nothing else.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # somebody typed: sh deploy_model.sh
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
readonly PASSED_ON=BERTH_HOME,BERTH_EVENTS,BERTH_STALL_SECONDS,BERTH_RETRIES,BERTH_SYSTEM_ROOT,HF_TOKEN,HF_HOME,HF_TOKEN_PATH,HF_HUB_DISABLE_IMPLICIT_TOKEN,HF_ENDPOINT,HF_HUB_OFFLINE,HTTPS_PROXY,https_proxy,HTTP_PROXY,http_proxy,NO_PROXY,no_proxy,SSL_CERT_FILE,PIP_INDEX_URL,PIP_EXTRA_INDEX_URL,PIP_CERT

main() {
  CHILD="" PLAN="" BEGUN=""
  heed
  parse "$@"
  require_linux
  require_setup
  if [[ -n $REMOVE ]]; then
    remove
  elif [[ -n $IN_BACKGROUND ]]; then
    in_background
  elif [[ -n $NODES ]]; then
    write_nodes
  else
    deploy
  fi
}

deploy() {
  PLAN=$(mktemp -d)
  check
  BEGUN=yes
  carry_out
  BEGUN=""
  # Under sudo, what was measured goes into the records of whoever called.
  [[ ! -f $PLAN/measured.json ]] || wait_for as_user "$PYTHON" -m lib.slots remember --plan "$PLAN"
}

# --- what was asked for ---

parse() {
  MODEL="" SLOT="" IN_BACKGROUND="" YES="" DRY_RUN="" REMOVE="" NODES=""
  REQUEST=() NODE_REQUEST=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --max-model-len | --served-name | --tensor-parallel | --cards | --quantization | --kv-cache-dtype | --max-num-seqs | --gpu-memory-utilization | --nodes | --addresses | --nic | --output)
        [[ $# -ge 2 ]] || misused "$1 needs a value."
        set_option "$1" "$2"
        shift
        ;;
      --max-model-len=* | --served-name=* | --tensor-parallel=* | --cards=* | --quantization=* | --kv-cache-dtype=* | --max-num-seqs=* | --gpu-memory-utilization=* | --nodes=* | --addresses=* | --nic=* | --output=*)
        set_option "${1%%=*}" "${1#*=}"
        ;;
      --text-only | --without-gateway | --without-nginx) REQUEST+=("$1") ;;
      --background) IN_BACKGROUND=yes ;;
      --foreground) IN_BACKGROUND="" ;;
      --yes | -y) YES=yes ;;
      --dry-run) DRY_RUN=yes ;;
      --remove) REMOVE=yes ;;
      -h | --help) manual && exit 0 ;;
      -[0-9]*) set_argument "$1" ;; # a slot, though not one that there is
      -*) misused "Unknown option: $(printable "$1")." ;;
      *) set_argument "$1" ;;
    esac
    shift
  done
  [[ -z $REMOVE ]] || one_slot
  [[ -n $MODEL || -n $REMOVE ]] || misused "Which model? Give a repository such as Qwen/Qwen2.5-7B-Instruct, and a slot."
  [[ -n $SLOT ]] || misused "Which slot? Give a number: 0 is the first card."
}

set_argument() { # TEXT
  if [[ -z $MODEL ]]; then
    MODEL=$1
  elif [[ -z $SLOT ]]; then
    SLOT=$1
  else
    misused "One model and one slot at a time: what is $(printable "$1")?"
  fi
}

# --remove needs the slot alone, and takes the whole command of a deployment too.
one_slot() {
  if [[ -z $SLOT ]]; then
    SLOT=$MODEL MODEL=""
  fi
}

set_option() { # NAME VALUE
  case $1 in
    --tensor-parallel | --max-num-seqs | --nodes) require_number "$1" "$2" ;;
  esac
  case $1 in
    --nodes) NODES=$2 NODE_REQUEST+=("$1=$2") ;;
    --output) NODE_REQUEST+=("$1=$(whole_path "$2")") ;;
    --addresses | --nic) NODE_REQUEST+=("$1=$2") ;;
    *) REQUEST+=("$1=$2") ;;
  esac
}

require_number() { # OPTION TEXT
  [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || misused "$1 needs a number, not $(printable "$2")."
}

whole_path() { # PATH
  [[ $1 == /* ]] && printf '%s' "$1" || printf '%s/%s' "$PWD" "$1"
}

misused() { # WHAT
  fail 2 "$1" "Usage: ./deploy_model.sh MODEL SLOT [--max-model-len N|auto] [--served-name S] [--tensor-parallel N] [--cards UUID,…] [--background] [--yes] [--dry-run] [--remove] [--help]"
}

require_linux() {
  [[ $(uname -s) == Linux ]] ||
    fail 7 "vLLM with NVIDIA cards needs Linux, and this is $(uname -s)." \
      "Run this on the server; for this machine's processor there is ./deploy_cpu.sh."
}

require_setup() {
  export BERTH_HOME=${BERTH_HOME:-$HOME/.berth}
  [[ $BERTH_HOME == /* ]] || export BERTH_HOME=$PWD/$BERTH_HOME
  export HF_HOME=${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface} # the login, under sudo too
  [[ -x $PYTHON ]] || fail 7 "Berth is not installed in this folder yet." "Run ./setup.sh --install-only, then this again."
  cd "$ROOT"
}

manual() {
  sed -n -e '/^#!/d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$ROOT/deploy_model.sh"
}

# --- the phases ---

check() {
  local code=0 dry=()
  [[ -z $DRY_RUN ]] || dry=(--dry-run)
  wait_for as_user "$PYTHON" -m lib.slots check ${REQUEST[@]+"${REQUEST[@]}"} ${dry[@]+"${dry[@]}"} \
    --save "$PLAN" -- "$MODEL" "$SLOT" || code=$?
  [[ $code == 0 ]] || exit "$code"
  [[ -z $YES && -z $DRY_RUN ]] || return 0
  ask_about_installs
  ! asks || confirm "Go on?" y || cancelled
}

# What is missing is installed, but not without a word.
ask_about_installs() {
  local missing without
  while IFS= read -r missing <&3; do
    case $missing in
      LiteLLM*) without=" Use --without-gateway to go on without it." ;;
      nginx*) without=" Use --without-nginx to go on without it." ;;
      *) without="" ;;
    esac
    asks || fail 7 "Not installed: $missing." "Run this again with --yes to have it installed.$without"
    confirm "Install $missing?" y || fail 7 "Not installed: $missing." "Install it yourself.$without"
  done 3< <(value install)
}

value() { # NAME: what the plan says
  sed -n "s/^$1=//p" "$PLAN/lines"
}

# unload, download, service, gateway, start, test
carry_out() {
  local dry=()
  [[ -z $DRY_RUN ]] || dry=(--dry-run)
  wait_for as_root "$PYTHON" -m lib.slots deploy --plan "$PLAN" ${dry[@]+"${dry[@]}"} || exit
}

remove() {
  local dry=()
  [[ -z $DRY_RUN ]] || dry=(--dry-run)
  if asks; then
    confirm "Remove the model, the service and all else of slot $(printable "$SLOT")?" n || cancelled
  fi
  wait_for as_root "$PYTHON" -m lib.slots remove ${dry[@]+"${dry[@]}"} -- "$SLOT" || exit
  [[ -n $DRY_RUN ]] || wait_for as_user "$PYTHON" -m lib.slots forget -- "$SLOT"
}

write_nodes() {
  [[ -z $DRY_RUN ]] || NODE_REQUEST+=(--dry-run)
  wait_for as_user "$PYTHON" -m lib.slots nodes ${REQUEST[@]+"${REQUEST[@]}"} ${NODE_REQUEST[@]+"${NODE_REQUEST[@]}"} -- "$MODEL" "$SLOT" || exit
}

in_background() {
  wait_for as_user "$PYTHON" -m lib.slots background ${REQUEST[@]+"${REQUEST[@]}"} -- "$MODEL" "$SLOT" || exit
  exit 0
}

# --- rights ---

# Files of the server are root's. Secrets stay in the environment: an argument could be read by all.
# These two end the shell that calls them, which is one of its own: a signal must reach the command.
as_root() { # COMMAND…
  if [[ $(id -u) == 0 || -n $DRY_RUN || -n ${BERTH_SYSTEM_ROOT:-} ]]; then
    exec "$@"
  else
    exec sudo -n --preserve-env="$PASSED_ON" "$@"
  fi
}

# Under sudo, Berth's own records stay those of whoever called it.
as_user() { # COMMAND…
  if [[ $(id -u) == 0 && -n ${SUDO_UID:-} && $(owner_of_home) == "$SUDO_UID" ]]; then
    [[ -z $PLAN ]] || chown "$SUDO_UID" "$PLAN"
    exec sudo -n -u "#$SUDO_UID" --preserve-env="$PASSED_ON" "$@"
  else
    exec "$@"
  fi
}

owner_of_home() {
  "$PYTHON" -c 'import os; print(os.stat(os.environ["BERTH_HOME"]).st_uid)' 2>/dev/null || true
}

# --- words, events, processes ---

killed() { # SIGNAL WHY
  broken 7 "A step was ended from outside (signal $1), $2." \
    "What it had changed is taken back. Free memory, then try again."
}

undo() { # see broken
  return 0
}

# A deployment takes back what it did by itself, but for one that was killed.
broken() { # CODE WHAT FIX
  [[ -z $BEGUN ]] || (as_root "$PYTHON" -m lib.slots undo --slot "$SLOT") || true
  fail "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" || -z ${TESTING:-} ]]; then
  main "$@"
fi
