#!/usr/bin/env bash
#
# All checks, then the four layers of tests; `./setup.sh test` calls it when all is installed.
# Everything runs, whatever failed before. Exit code 1 when anything did. With --all the layer `gpu`
# comes last: real vLLM, LiteLLM, nginx and systemd.

set -euo pipefail

readonly PYTHON=.venv/bin/python
readonly RESULTS=test-results
readonly WORKERS=${BERTH_TEST_WORKERS:-3} # each waits for servers and browsers much of its time

main() {
  CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
  mkdir -p "$RESULTS"
  FAILED="" SUMMARY="" PASSED=0 BROKEN=0 SKIPPED=0
  check .venv/bin/ruff format --check .
  check .venv/bin/ruff check .
  check .venv/bin/mypy
  check .venv/bin/lint-imports
  check .venv/bin/shellcheck setup.sh deploy_cpu.sh deploy_model.sh tests/run.sh .ci/run
  for name in unit api integration e2e; do
    layer "$name"
  done
  [[ ${1:-} != --all ]] || layer gpu 0 # in order: each has the server that the one before it left
  report
}

check() { # COMMAND…
  printf '\n== %s\n' "$*"
  "$@" || FAILED="$FAILED ${1##*/}"
}

layer() { # NAME [WORKERS]
  local log=$RESULTS/$1.log last
  printf '\n== pytest tests/%s\n' "$1"
  "$PYTHON" -m pytest "tests/$1" -n "${2:-$WORKERS}" --dist worksteal --durations 10 2>&1 | tee "$log" ||
    FAILED="$FAILED $1"
  last=$(tail -n 1 "$log")
  SUMMARY="$SUMMARY$(printf '%-12s %s' "$1" "$last")"$'\n'
  PASSED=$((PASSED + $(count passed "$last")))
  BROKEN=$((BROKEN + $(count failed "$last") + $(count "errors?" "$last")))
  SKIPPED=$((SKIPPED + $(count skipped "$last")))
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
