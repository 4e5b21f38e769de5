#!/usr/bin/env bash
#
# All checks, then the four layers of tests; `./setup.sh test` calls it when all is installed.
# Everything runs, whatever failed before. Exit code 1 when anything did. With --all the layer `gpu`
# comes last: real vLLM, LiteLLM, nginx and systemd; where no system can be booted in a container,
# the last lines say that it was left out. Up to three tests of a layer that fail beside others, on a
# machine that is busy with them, are tried once more by themselves; both is told.

set -euo pipefail

readonly PYTHON=.venv/bin/python
readonly RESULTS=test-results
readonly FEW=3
readonly WORKERS=${BERTH_TEST_WORKERS:-3} # each waits for servers and browsers much of its time

main() {
  CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
  mkdir -p "$RESULTS"
  FAILED="" SUMMARY="" PASSED=0 BROKEN=0 SKIPPED=0
  check .venv/bin/ruff format --check .
  check .venv/bin/ruff check .
  check .venv/bin/mypy
  check .venv/bin/lint-imports
  check .venv/bin/shellcheck -x setup.sh deploy_cpu.sh deploy_model.sh lib/jobs/script.sh tests/run.sh .ci/run
  for name in unit api integration e2e; do
    layer "$name"
  done
  [[ ${1:-} != --all ]] || heavy
  report
}

heavy() {
  local why
  if why=$("$PYTHON" -m tests.support.systemd_box --try) &&
    why=$("$PYTHON" -m tests.support.cached_programs); then
    layer gpu 0 # in order: each has the server that the one before it left
  else
    SUMMARY="$SUMMARY$(printf '%-12s %s' gpu "LEFT OUT: ${why:-no box can be made here}")"$'\n'
  fi
}

check() { # COMMAND…
  printf '\n== %s\n' "$*"
  "$@" || FAILED="$FAILED ${1##*/}"
}

layer() { # NAME [WORKERS]
  local log=$RESULTS/$1.log workers=${2:-$WORKERS}
  printf '\n== pytest tests/%s\n' "$1"
  if "$PYTHON" -m pytest "tests/$1" -n "$workers" --dist worksteal --durations 10 2>&1 | tee "$log"; then
    counted "$1" "$log"
  elif counted "$1" "$log" && ((BROKEN_HERE > 0)) && again "$1" "$workers"; then
    BROKEN=$((BROKEN - BROKEN_HERE)) PASSED=$((PASSED + BROKEN_HERE))
  else
    FAILED="$FAILED $1"
  fi
}

counted() { # NAME LOG
  local last
  last=$(tail -n 1 "$2")
  SUMMARY="$SUMMARY$(printf '%-12s %s' "$1" "$last")"$'\n'
  BROKEN_HERE=$(($(count failed "$last") + $(count "errors?" "$last")))
  PASSED=$((PASSED + $(count passed "$last")))
  BROKEN=$((BROKEN + BROKEN_HERE))
  SKIPPED=$((SKIPPED + $(count skipped "$last")))
}

# What follows on each other is tried file by file.
again() { # NAME WORKERS
  local log=$RESULTS/$1-again.log what=("tests/$1" --last-failed) few=$BROKEN_HERE
  if [[ $2 == 0 ]]; then
    # shellcheck disable=SC2207 # names of our own files, which have no spaces
    what=($(sed -nE 's/^(FAILED|ERROR) ([^: ]+).*/\2/p' "$RESULTS/$1.log" | sort -u))
    few=${#what[@]}
  fi
  ((few > 0 && few <= FEW)) || return 1
  printf '\n== pytest tests/%s, once more by themselves:\n' "$1"
  "$PYTHON" -m pytest "${what[@]}" -n 0 -v 2>&1 | tee "$log" || return 1
  SUMMARY="$SUMMARY$(printf '%-12s %s' "  once more" "$(tail -n 1 "$log")")"$'\n'
}

count() { # WORD SUMMARY
  [[ $2 =~ ([0-9]+)\ $1 ]] && printf '%s' "${BASH_REMATCH[1]}" || printf 0
}

report() {
  printf '\n%s' "$SUMMARY"
  [[ -z $FAILED ]] || printf 'Failed:%s\n' "$FAILED"
  printf 'total: %s passed, %s failed, %s skipped\n' "$PASSED" "$BROKEN" "$SKIPPED"
  [[ -z $FAILED ]]
}

if [[ ${BASH_SOURCE[0]} == "$0" || -z ${TESTING:-} ]]; then
  main "$@"
fi
