# shellcheck shell=bash
#
# What scripts that run as jobs share: words, questions, the step that is waited for, and how they
# end. To be sourced; whoever does has CHILD, PLAN, YES and DRY_RUN, and defines
#
#   killed SIGNAL WHY    a step was ended from outside; does not return
#   undo                 what is undone before the end is told, if there is anything; may come twice

MEMORY_KILLS=""

# To be called first: from here on an end is told, and the kernel's count is known.
heed() {
  MEMORY_KILLS=$(memory_kills)
  trap finish EXIT
  trap cancelled INT TERM HUP
}

say() {
  printf '%s\n' "$@"
}

fail() { # CODE WHAT [FIX…]
  local code=$1
  shift
  undo
  say "$@"
  exit "$code"
}

# In the background, because bash answers a signal at once only while it waits.
wait_for() { # COMMAND…
  local code=0
  "$@" &
  CHILD=$!
  wait "$CHILD" || code=$?
  CHILD=""
  [[ $code -lt 128 || $code == 130 ]] || killed "$((code - 128))" "$(why_ended)"
  return "$code"
}

# What the kernel counted, where it counts: it alone knows whether memory ran out.
why_ended() {
  local now
  now=$(memory_kills)
  if [[ -z $now || -z $MEMORY_KILLS ]]; then
    printf 'perhaps because memory ran out'
  elif [[ $now -gt $MEMORY_KILLS ]]; then
    printf 'because memory ran out'
  else
    printf 'and no lack of memory was counted'
  fi
}

memory_kills() {
  sed -n 's/^oom_kill //p' /proc/vmstat 2>/dev/null || true
}

cancelled() {
  trap '' INT TERM HUP
  if [[ -n $CHILD ]]; then
    kill -TERM "$CHILD" 2>/dev/null || true
    wait "$CHILD" 2>/dev/null || true
  fi
  fail 130 "Cancelled. What was downloaded is kept; the same command goes on from there."
}

# For whoever started this as a job, in case that its runner is killed.
finish() {
  local code=$?
  undo
  [[ -z $PLAN ]] || rm -rf "$PLAN"
  [[ -z ${BERTH_EVENTS:-} ]] || printf '%s\n' "$code" >"${BERTH_EVENTS%/*}/exit_code.self" || true
}

asks() {
  [[ -t 0 && -z $YES && -z $DRY_RUN ]]
}

confirm() { # QUESTION y|n: the answer to an empty line
  local answer
  read -r -p "$1 [$([[ $2 == y ]] && printf 'Y/n' || printf 'y/N')] " answer || answer=n
  [[ ${answer:-$2} == [yY]* ]]
}

printable() { # TEXT
  printf '%s' "${1:0:60}" | LC_ALL=C tr -c ' -~' '?'
}
