#!/usr/bin/env bash
#
# Installs Berth into this folder and starts it.
#
#   ./setup.sh                  install what is missing, start the dashboard, open the browser
#   ./setup.sh --starter        the same, then fetch a small model (491 MB) and let it answer
#   ./setup.sh --share          the same as the first, and share it with your network
#   ./setup.sh --icon           the same as the first, and put something there to click
#   ./setup.sh --login          the same as the first, and start it whenever you log in
#   ./setup.sh --install-only   install what is missing, start nothing
#   ./setup.sh open             what a click does: start it in the background if need be, and
#                               open the browser
#   ./setup.sh stop             stop the dashboard; models go on (--models: stop them too)
#   ./setup.sh doctor           say what is not as it should be on this machine, and what mends it
#   ./setup.sh test             install the test tools and a browser, run all checks and tests
#   ./setup.sh test --all       the heavy tests too: a GPU server in a box (Debian, root, 8 GB)
#
# Options:
#   --port N       the dashboard's port; without it 8501, or the next one that is free
#   --no-browser   open no browser
#   --share=TIME   share it for 1h, 8h, today (until midnight) or always (until it is stopped, which
#                  is what --share alone does); it prints the address, the code, and a QR code
#   --no-icon      take away what --icon put there, start nothing
#   --no-login     start it no more at login, start nothing now
#   --models       with stop: all models too
#   --all          with test: the heavy tests too
#   --help         this text
#
# Environment:
#   PYTHON         the Python to use, 3.11 or newer; without it the first one found
#   BERTH_HOME     where models, settings and records are kept; without it ~/.berth
#   PIP_INDEX_URL  another package index; pip's other variables count as well
#
# It needs Python 3.11 or newer, 1 GB of disk, and the network for the first run. It writes to
# .venv in this folder and to BERTH_HOME. A second run installs nothing; after an install that
# was broken off, or an update of this folder, the next run installs what is missing. Ctrl-C stops
# the dashboard, not the models.
#
# Exit codes:
#   0    done, or the dashboard was stopped
#   1    a test failed, the doctor found something, or what has no code of its own
#   2    unknown option, or a port that cannot be used
#   4    something is missing on this machine: Python, its venv module, a browser, Berth itself
#   5    no disk space
#   6    no network
#   7    the port is used by another program, or the dashboard did not start
#   130  interrupted
#
# With TESTING=1 in the environment, `source setup.sh` defines the functions and does nothing else.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # somebody typed: sh setup.sh
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
readonly VENV=.venv
readonly BERTH_PYTHON=$VENV/bin/python
readonly PIP_LOG=$VENV/install.log
readonly TURN=.venv.turn
readonly NEEDED_MB=1000
readonly MAKE_ROOM="Free some space, then run ./setup.sh again."
readonly NO_NETWORK='NewConnection|NameResolution|Network is unreachable|timed out|ProxyError|SSLError'
readonly PYTHONS=(python3.13 python3.12 python3.11 python3.14 python3 python)
readonly BROWSERS=(chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable)

main() {
  parse "$@"
  trap interrupted INT TERM
  [[ ${BERTH_HOME:-/} == /* ]] || export BERTH_HOME=$PWD/$BERTH_HOME
  BERTH_FOLDER=${BERTH_HOME:-$HOME/.berth}
  cd "$ROOT"
  case $COMMAND in
    test) run_tests ;;
    install) install && put_in_place ;;
    doctor) look_around ;;
    start) start ;;
    open) open_berth ;;
    serve) serve ;;
    stop) stop_berth ;;
    take_away) take_away ;;
  esac
}

# --- what was asked for ---

parse() {
  COMMAND="start" PORT=8501 PORT_IS_GIVEN="" WITH_BROWSER=yes WITH_STARTER="" ALL_TESTS="" SHARE=""
  ICON="" LOGIN="" WITH_MODELS=""
  while [[ $# -gt 0 ]]; do
    case $1 in
      test) COMMAND="test" ;;
      doctor | open | serve | stop) COMMAND=$1 ;;
      --all) ALL_TESTS=--all ;;
      --install-only) COMMAND="install" ;;
      --starter) WITH_STARTER=yes ;;
      --icon) ICON=on ;;
      --login) LOGIN=on ;;
      --no-icon) ICON=off COMMAND="take_away" ;;
      --no-login) LOGIN=off COMMAND="take_away" ;;
      --models) WITH_MODELS=yes ;;
      --no-browser) WITH_BROWSER="" ;;
      --share) SHARE=always ;;
      --share=1h | --share=8h | --share=today | --share=always) SHARE=${1#--share=} ;;
      --share=*) misused "Not a time to share for (1h, 8h, today, always): $(printable "${1#--share=}")." ;;
      --port)
        [[ $# -ge 2 ]] || misused "--port needs a number."
        use_port "$2"
        shift
        ;;
      --port=*) use_port "${1#--port=}" ;;
      -h | --help) manual && exit 0 ;;
      *) misused "Unknown option: $(printable "$1")." ;;
    esac
    shift
  done
  [[ -z $ALL_TESTS || $COMMAND == test ]] || misused "--all belongs to test."
  [[ -z $WITH_MODELS || $COMMAND == stop ]] || misused "--models belongs to stop."
  [[ -z $SHARE || $COMMAND == start ]] || misused "--share belongs to a start."
}

use_port() { # NUMBER
  [[ $1 =~ ^[1-9][0-9]{0,4}$ && $1 -le 65535 ]] ||
    misused "Not a port (1 to 65535): $(printable "$1")."
  PORT=$1 PORT_IS_GIVEN=yes
}

misused() { # WHAT
  fail 2 "$1" "Usage: ./setup.sh [open | stop [--models] | doctor | test [--all]] [--starter] [--share[=TIME]] [--[no-]icon] [--[no-]login] [--install-only] [--port N] [--no-browser] [--help]"
}

printable() { # TEXT
  printf '%s' "${1:0:60}" | LC_ALL=C tr -c ' -~' '?'
}

manual() {
  sed -n -e '/^#!/d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$ROOT/setup.sh"
}

say() {
  printf '%s\n' "$@"
}

fail() { # CODE WHAT [FIX…]
  local code=$1
  shift
  say "$@" >&2
  exit "$code"
}

interrupted() {
  fail 130 "" "Interrupted. Run ./setup.sh again to go on."
}

# --- install ---

install() {
  ! is_installed || return 0
  take_turn
  make_venv
  install_list requirements.txt
  rm -f "$TURN"
}

is_installed() {
  venv_works && [[ $(wanted requirements.txt) == "$(cat "$VENV/installed-requirements.txt" 2>/dev/null)" ]]
}

# Two clicks install once: the link names the process that does, and counts only while that lives.
take_turn() {
  local holder told=""
  until ln -s "$$" "$TURN" 2>/dev/null; do
    holder=$(readlink "$TURN") || return 0 # no link can be made here, or it is free again
    if ! kill -0 "$holder" 2>/dev/null; then
      rm -f "$TURN"
      continue
    fi
    [[ -n $told ]] || say "Somebody else installs here; this waits for it."
    told=yes
    sleep 1
  done
}

make_venv() {
  venv_works && return
  find_python
  say "Making .venv with Python $PYTHON_VERSION"
  "$PYTHON_FOUND" -m venv --clear "$VENV" || fail 1 "Python could not make $ROOT/$VENV."
}

# The Python that made it may be gone or have been replaced, and a venv without pip is half made.
venv_works() {
  "$BERTH_PYTHON" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return
  [[ -z ${PYTHON:-} || $(version_of "$PYTHON") == $(version_of "$BERTH_PYTHON") ]]
}

find_python() {
  local name version too_old="" bare="" names=("${PYTHONS[@]}")
  [[ -z ${PYTHON:-} ]] || names=("$PYTHON")
  for name in "${names[@]}"; do
    version=$(version_of "$name") || continue
    [[ $version =~ ^[0-9]+[.][0-9]+[.][0-9]+$ ]] || continue
    if ! is_new_enough "$version"; then
      too_old="$too_old${too_old:+,} $version ($name)"
    elif ! "$name" -c 'import venv, ensurepip' >/dev/null 2>&1; then
      bare=$version
    else
      PYTHON_FOUND=$name PYTHON_VERSION=$version
      return
    fi
  done
  [[ -z $bare ]] || fail 4 "Python $bare is here, but not its venv module." "$(how_to_get_venv "$bare")"
  [[ -z $too_old ]] || fail 4 "Python 3.11 or newer is needed. Found:$too_old." "$(how_to_get_python)"
  fail 4 "Python 3.11 or newer is needed. None was found${PYTHON:+ at $PYTHON}." "$(how_to_get_python)"
}

version_of() { # PYTHON
  "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
}

is_new_enough() { # VERSION
  local major=${1%%.*} rest=${1#*.}
  [[ $major -gt 3 || ($major -eq 3 && ${rest%%.*} -ge 11) ]]
}

how_to_get_python() {
  if has brew; then
    say "Install it: brew install python@3.13"
  elif [[ $(uname -s) == Darwin ]]; then
    say "Install it from https://www.python.org/downloads/, then open a new terminal."
  elif has apt-get; then
    say "Install it: sudo apt install python3-venv (if that is older: python3.11-venv)"
  elif has dnf; then
    say "Install it: sudo dnf install python3.12"
  else
    say "Install it with the system's package manager, or from https://www.python.org/downloads/."
  fi
  say "One that is not on the PATH: PYTHON=/path/to/python3 ./setup.sh"
}

how_to_get_venv() { # VERSION
  if has apt-get; then
    say "Install it: sudo apt install python3-venv (or python${1%.*}-venv)"
  else
    say "Install the package that brings Python's venv and ensurepip modules."
  fi
}

# The stamp is what was installed, word for word: when a list or Python changes, pip runs again.
install_list() { # LIST
  local stamp=$VENV/installed-$1
  [[ $(wanted "$1") != "$(cat "$stamp" 2>/dev/null)" ]] || return 0
  has_space ||
    fail 5 "The disk is full: $(free_mb) MB free, $NEEDED_MB MB needed in $ROOT." "$MAKE_ROOM"
  say "Installing packages ($1)"
  SECONDS=0
  pip_install "$1" || explain_pip
  wanted "$1" >"$stamp"
  say "Installed in $SECONDS s."
}

wanted() { # LIST
  "$BERTH_PYTHON" -V
  cat requirements.txt "$1"
}

pip_install() { # LIST
  : >"$PIP_LOG"
  "$BERTH_PYTHON" -m pip install --only-binary :all: --no-input --disable-pip-version-check \
    --progress-bar off -r "$1" 2>&1 | show_progress "$(wanted "$1" | sort -u | grep -c '==')"
}

show_progress() { # TOTAL
  local line name seen=0
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$PIP_LOG"
    case $line in
      *Downloading*.whl\ * | *"Using cached"*.whl\ *)
        seen=$((seen + 1))
        name=${line% (*}
        name=${name##* }
        show_now "$seen of $1 packages: ${name%%-*} (${line##*(}"
        ;;
      *Retrying*) show_now "the package index does not answer, trying again" ;;
      Installing*) show_now "unpacking" ;;
    esac
  done
  show_now ""
}

show_now() { # TEXT
  [[ ! -t 1 ]] || printf '\r\033[K%s' "${1:+  $1}"
}

explain_pip() {
  local line
  if last_line 'No space left|quota exceeded' >/dev/null; then
    fail 5 "The disk is full: the packages need $NEEDED_MB MB." "$MAKE_ROOM"
  elif line=$(last_line "$NO_NETWORK"); then
    fail 6 "The package index cannot be reached." \
      "Check the network or the proxy settings, then run ./setup.sh again." "($line)"
  elif line=$(last_line 'No matching distribution'); then
    fail 4 "A package is not made for this machine: $(uname -sm), $("$BERTH_PYTHON" -V)." \
      "Berth runs on macOS 13 and Linux (glibc 2.28) or newer, with Python 3.11 to 3.14." "($line)"
  fi
  fail 1 "pip could not install the packages." "What it said is in $ROOT/$PIP_LOG." \
    "$(last_line . || true)"
}

last_line() { # PATTERN, in what pip said
  grep -iE "$1" "$PIP_LOG" | tail -n 1 | cut -c 1-300
}

has_space() {
  local free
  free=$(free_mb)
  [[ $free -ge $NEEDED_MB ]]
}

free_mb() {
  local kib
  kib=$(df -Pk . | sed -n 's/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')
  say $((${kib:-NEEDED_MB * 1000} / 1000)) # where df says nothing, pip will tell
}

has() { # COMMAND
  command -v "$1" >/dev/null 2>&1
}

# --- start ---

start() {
  local address
  if address=$(address_of_running); then
    say "Berth already runs: $address"
    "$BERTH_PYTHON" -m lib.launch outdated || true
    [[ ! -t 1 ]] || tell_link
    put_in_place
    arrive "$address"
    exit 0
  fi
  install
  offer_icon
  put_in_place
  pick_port
  launch
}

address_of_running() {
  "$BERTH_PYTHON" -m lib.launch running 2>/dev/null
}

# Where Berth asks for its key; a terminal alone is told, never a log.
tell_link() {
  local link
  if link=$("$BERTH_PYTHON" -m lib.launch link); then
    say "Open it with its key: $link"
  fi
}

pick_port() {
  local free answer
  free=$("$BERTH_PYTHON" -m lib.launch free-port "$PORT") || exit
  [[ $free != "$PORT" ]] || return 0
  if [[ -n $PORT_IS_GIVEN ]]; then
    fail 7 "Port $PORT is used by another program." "Port $free is free: ./setup.sh --port $free"
  elif [[ -t 0 ]]; then
    read -r -p "Port $PORT is used by another program. Use $free instead? [Y/n] " answer
    [[ $answer != [nN]* ]] || fail 7 "Choose one: ./setup.sh --port $free"
  else
    say "Port $PORT is used by another program; Berth takes $free."
  fi
  PORT=$free
}

launch() {
  local address code=0
  set -m # a process group of its own: Ctrl-C reaches the dashboard once, through here
  "$BERTH_PYTHON" -m lib.server --port "$PORT" </dev/null &
  set +m
  SERVER=$!
  trap stop_dashboard INT TERM HUP
  address=$("$BERTH_PYTHON" -m lib.launch answers "$PORT" "$SERVER") || fail_to_start
  arrive "$address" || true
  say "Ctrl-C stops the dashboard; models go on without it."
  wait "$SERVER" || code=$?
  [[ $code != 0 ]] || say "Berth has been quit. Start it again: ./setup.sh"
  [[ $code != 0 ]] || exit 0
  fail 1 "The dashboard has ended (exit code $code)." "Start it again: ./setup.sh"
}

arrive() { # ADDRESS
  open_browser "$1"
  [[ -z $SHARE ]] || share
  [[ -z $WITH_STARTER ]] || run_starter "$1"
}

share() {
  "$BERTH_PYTHON" -m lib.launch share "$SHARE" || say "Berth is not shared." >&2
}

run_starter() { # ADDRESS
  local code=0
  "$BERTH_PYTHON" -m lib.deploy.starter || code=$?
  if [[ $code == 0 ]]; then
    say "Talk to it: $1"
  else
    say "The dashboard runs without a model: $1" "Try again there, or with ./setup.sh --starter" >&2
  fi
  return "$code"
}

open_browser() { # ADDRESS
  [[ -n $WITH_BROWSER ]] || return 0
  if [[ -n ${SSH_CONNECTION:-}${SSH_TTY:-} ]]; then
    say "From your own machine: ssh -L $PORT:localhost:$PORT $(id -un)@$(uname -n), then open $1"
  elif [[ $(uname -s) == Darwin ]]; then
    open "$1" >/dev/null 2>&1 &
  elif [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && has xdg-open; then
    xdg-open "$1" >/dev/null 2>&1 &
  fi
}

fail_to_start() {
  kill "$SERVER" 2>/dev/null || true
  fail 7 "The dashboard did not start; its own words are above."
}

stop_dashboard() {
  trap '' INT TERM HUP
  kill "$SERVER" 2>/dev/null || true
  wait "$SERVER" 2>/dev/null || true
  say "" "The dashboard has stopped."
  "$BERTH_PYTHON" -m lib.engines || true
  exit 0
}

# --- without a terminal ---

# What a click on the icon does. There is no terminal to tell anything to.
open_berth() {
  local address log=$BERTH_FOLDER/open.log
  if ! address=$(address_of_running); then
    (umask 077 && mkdir -p "$BERTH_FOLDER" && : >"$log")
    is_installed || notify "Berth installs what is new. That takes a minute."
    address=$(begin 2>>"$log") || could_not_open "$log"
  fi
  open_browser "$address"
  wait
}

begin() {
  install >&2 && "$BERTH_PYTHON" -m lib.launch begin "$PORT"
}

# What the start at login runs: the service manager keeps what it says.
serve() {
  local address
  if address=$(address_of_running); then
    say "Berth already runs: $address"
    exit 0
  fi
  install
  PORT_IS_GIVEN=""
  pick_port
  exec "$BERTH_PYTHON" -m lib.server --alone --port "$PORT" </dev/null
}

could_not_open() { # LOG
  local page=$BERTH_FOLDER/could-not-start.html
  if [[ -t 2 ]]; then
    cat "$1" >&2
  else
    {
      say '<!doctype html><html lang="en"><meta charset="utf-8"><title>Berth</title>' \
        '<meta name="color-scheme" content="light dark">' \
        '<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto">' \
        '<h1>Berth could not be started</h1><pre style="white-space: pre-wrap">'
      sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' "$1"
      say '</pre><p>Click again once it is mended.</p>'
    } >"$page"
    open_browser "$page"
    wait
  fi
  exit 1
}

notify() { # TEXT
  if has notify-send; then
    notify-send Berth "$1" 2>/dev/null || true
  elif has osascript; then
    osascript -e 'on run argv' -e 'display notification (item 1 of argv) with title "Berth"' \
      -e 'end run' "$1" >/dev/null 2>&1 || true
  fi
}

# Once, on a terminal of a machine with a desktop.
offer_icon() {
  local answer asked=$BERTH_FOLDER/asked-for-icon
  [[ -t 0 && -t 1 && -z $ICON && ! -e $asked ]] && has_desktop || return 0
  (umask 077 && mkdir -p "$BERTH_FOLDER" && : >"$asked")
  ! "$BERTH_PYTHON" -m lib.login icon is >/dev/null 2>&1 || return 0
  read -r -p "Put an icon there, so that no terminal is needed to start Berth? [Y/n] " answer
  [[ $answer == [nN]* ]] || ICON=on
  [[ -z $LOGIN ]] || return 0
  read -r -p "Start Berth whenever you log in? [y/N] " answer
  [[ $answer != [yY]* ]] || LOGIN=on
}

has_desktop() {
  [[ -z ${SSH_CONNECTION:-}${SSH_TTY:-} ]] || return
  [[ $(uname -s) == Darwin || -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]
}

put_in_place() {
  local port=0
  [[ -z $PORT_IS_GIVEN ]] || port=$PORT
  [[ -z $ICON ]] || "$BERTH_PYTHON" -m lib.login icon "$ICON" --port "$port" || exit
  [[ -z $LOGIN ]] || "$BERTH_PYTHON" -m lib.login start "$LOGIN" --port "$port" || exit
}

take_away() {
  require_installed
  put_in_place
}

stop_berth() {
  require_installed
  "$BERTH_PYTHON" -m lib.launch stop || exit
  [[ -z $WITH_MODELS ]] || "$BERTH_PYTHON" -m lib.engines stop --all || exit
  "$BERTH_PYTHON" -m lib.engines
}

require_installed() {
  venv_works || fail 4 "Berth is not installed yet." "Install it first: ./setup.sh --install-only"
}

# --- doctor ---

look_around() {
  require_installed
  exec "$BERTH_PYTHON" -m lib.doctor
}

# --- test ---

run_tests() {
  make_venv
  install_list requirements-dev.txt
  install_browser
  [[ -z $ALL_TESTS ]] || (install_box) || say "Without them the heavy tests are left out."
  exec "$BASH" tests/run.sh ${ALL_TESTS:+"$ALL_TESTS"}
}

# A systemd in a container, and the web server that runs there.
install_box() {
  ! { has systemd-nspawn && has nginx && has gcc; } || return 0
  has apt-get ||
    fail 4 "The heavy tests need systemd-nspawn, nginx and gcc." "Run them on Debian or Ubuntu."
  say "Installing systemd-container and nginx for the tests"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    systemd systemd-container nginx-light gcc python3 python3-dev python3-venv
}

install_browser() {
  ! has_browser || return 0
  say "Installing Chromium for the tests"
  if has apt-get; then
    as_root apt-get update -q && as_root apt-get install -qy --no-install-recommends chromium-headless-shell ||
      as_root apt-get install -qy --no-install-recommends chromium || true
  fi
  has_browser || "$BERTH_PYTHON" -m playwright install chromium ||
    fail 4 "The tests need a browser." "Install Chromium or Google Chrome, then try again."
}

has_browser() {
  local name
  for name in "${BROWSERS[@]}"; do
    ! has "$name" || return 0
  done
  return 1
}

as_root() { # COMMAND…
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" || -z ${TESTING:-} ]]; then
  main "$@"
fi
