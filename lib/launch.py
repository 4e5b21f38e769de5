"""What setup.sh has to know of a dashboard: `python -m lib.launch --help`.

running            its address; exit code 1 where none runs for this BERTH_HOME
link               its address with the owner's key; exit code 1 where it does not ask for one
free-port PORT     PORT, or the next one that no program uses
answers PORT PID   its address, as soon as process PID answers there; exit code 1 where it ends
share LASTING      shares it with the network for 1h, 8h, today or always; address, code and QR code
outdated           a hint where it runs as it was before its folder was changed
begin PORT         its address; where none runs, one is started in the background, on PORT or later
stop               has it end, and waits until it has; its models go on
"""

import argparse
import io
import json
import os
import shutil
import signal
import sys
import time
from typing import Any

import psutil

from lib import dashboard
from lib.core import access, http, locks, owner_key
from lib.core.errors import BadInput, BerthError, Conflict, EngineError
from lib.core.files import make_private, tail
from lib.core.settings import ROOT, settings
from lib.processes import background

PATIENCE_SECONDS = 120.0  # a cold disk and a virus scanner make the first start slow
ASK_EVERY_SECONDS = 0.1
SHARE_SECONDS = 60.0  # a certificate may have to be made
OUTDATED = (
    "It runs as it was before this folder was changed. To use what is new: ./setup.sh stop, "
    "then start it again. Models go on."
)
CODE_IS_ELSEWHERE = "The access code stands on the System page."
LASTING = ("1h", "8h", "today", "always")
PORTS_TRIED = 100
ASK_SECONDS = 5.0
STOP_SECONDS = 20.0
LOG, EXIT, LOCK = "berth.log", "berth.exit", "click.lock"  # in BERTH_HOME
LAST_WORDS = 5  # lines of the log


def main(arguments: list[str] | None = None) -> int:
    """Print the answer; the exit code tells the rest."""
    given = _parser().parse_args(arguments)
    access.own_process()
    try:
        answer = given.ask(given)
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    if answer:
        print(answer)
    return 0 if answer else 1


def free_port(wanted: int) -> int:
    """`wanted`, or the next port after it that can be listened on.

    Conflict where none is; BadInput where `wanted` is no port, or not for this user.
    """
    last = max(wanted, min(wanted + PORTS_TRIED, 65_535))
    for port in range(wanted, last + 1):
        try:
            dashboard.listening(port).close()
        except Conflict:
            continue
        return port
    raise Conflict(f"All ports from {wanted} to {last} are used.", "Choose another with --port.")


def answering(port: int, pid: int) -> str:
    """The address once process `pid` answers on `port`; empty where it ends or stays silent."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _lives(pid) and time.monotonic() < deadline:
        found = dashboard.running()
        if found is not None and found.pid == pid and _is_healthy(port):
            return found.url
        time.sleep(ASK_EVERY_SECONDS)
    return ""


def begun(wanted: int) -> str:
    """The address of the dashboard; one is started where none runs, and goes on by itself.

    One after the other: two clicks start one. Conflict where it does not come to run.
    """
    home = make_private(settings().home)
    with locks.locked(home / LOCK):
        if address := _address():
            return address
        bash = shutil.which("bash") or "/bin/bash"
        command = [bash, str(ROOT / "setup.sh"), "serve", "--port", str(free_port(wanted))]
        child = background.start(command, os.environ, home / LOG, home / EXIT)
        address = _awaited(child)
    if not address:
        said = "\n".join(tail(home / LOG).strip().splitlines()[-LAST_WORDS:])
        raise Conflict(f"Berth did not start.\n{said}", f"All that it said is in {home / LOG}.")
    return address


def _awaited(child: background.Child) -> str:
    """The address once one answers: the child's, or that of one that was quicker."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        is_over = not background.is_alive(child)
        found = dashboard.running()
        if found is not None and _is_healthy(found.port):
            return found.url
        if is_over and found is None:
            break
        time.sleep(ASK_EVERY_SECONDS)
    return ""


def stopped() -> str:
    """Have the dashboard end as its page does, or by a signal; Conflict where it does not end."""
    found = dashboard.running()
    if found is None:
        return "Berth does not run."
    try:
        url = f"http://{dashboard.HOST}:{found.port}/api/quit"
        http.request_json("POST", url, {}, owner_key.authorization(), ASK_SECONDS)
    except BerthError:
        os.kill(found.pid, signal.SIGTERM)
    if not background.wait_until(lambda: not background.is_alive(found), STOP_SECONDS):
        raise Conflict(f"Berth (process {found.pid}) does not end.", f"kill -9 {found.pid}")
    return "Berth has been stopped."


def shared(lasting: str) -> str:
    """Share the running dashboard, and say how guests get in; Conflict where none runs.

    The code is for a terminal alone, never for a log. One that is shared already stays as it is.
    """
    address = _address()
    if not address:
        raise Conflict("Berth does not run.", "Start it: ./setup.sh --share")
    told = _asked("GET", address)
    if not told["is_shared"]:
        told = _asked("POST", address, {"lasting": lasting})
    return "\n".join(_how_guests_come(told, is_private=sys.stdout.isatty()))


def _asked(method: str, address: str, body: object = None) -> dict[str, Any]:
    """What the dashboard says of its sharing, or its error."""
    url, key = f"{address}/api/sharing", owner_key.authorization()
    try:
        return dict(http.request_json(method, url, body, key, SHARE_SECONDS))
    except http.Refused as error:
        said = json.loads(error.body)["error"]
        raise BadInput(said["message"], said["fix"]) from error


def _how_guests_come(told: dict[str, Any], is_private: bool) -> list[str]:
    ends = time.strftime("until %H:%M on %d %B", time.localtime(told["until"] or 0))
    lines = [f"Shared with your network: {told['url']} ({ends if told['until'] else 'no end'})"]
    lines += [f"Access code: {told['code']}" if is_private else CODE_IS_ELSEWHERE]
    if told["fingerprint"]:
        lines += ["Certificate (SHA-256):", *_halves(told["fingerprint"])]
    return [*lines, *([_qr_code(told["url"])] if is_private else [])]


def _halves(fingerprint: str) -> list[str]:
    """48 characters each, for the narrowest terminals."""
    return [f"  {fingerprint[:47]}", f"  {fingerprint[48:]}"]


def _qr_code(url: str) -> str:
    import segno  # 50 ms, for this answer alone

    drawn = io.StringIO()
    segno.make_qr(url, error="m").terminal(drawn, border=2, compact=True)
    return drawn.getvalue().rstrip("\n")


def _is_healthy(port: int) -> bool:
    try:
        url = f"http://{dashboard.HOST}:{port}/api/health"
        http.get_json(url, owner_key.authorization())
    except EngineError:
        return False
    return True


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _address() -> str:
    found = dashboard.running()
    return found.url if found else ""


def _outdated() -> str:
    found = dashboard.running()
    return OUTDATED if found is not None and dashboard.is_outdated(found) else ""


def _link() -> str:
    address = _address()
    return owner_key.link(address) if address and owner_key.is_asked_for() else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.launch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asks = parser.add_subparsers(required=True)
    running = asks.add_parser("running")
    running.set_defaults(ask=lambda given: _address())
    link = asks.add_parser("link")
    link.set_defaults(ask=lambda given: _link())
    free = asks.add_parser("free-port")
    free.add_argument("port", type=int)
    free.set_defaults(ask=lambda given: free_port(given.port))
    outdated = asks.add_parser("outdated")
    outdated.set_defaults(ask=lambda given: _outdated())
    begin = asks.add_parser("begin")
    begin.add_argument("port", type=int)
    begin.set_defaults(ask=lambda given: begun(given.port))
    stop = asks.add_parser("stop")
    stop.set_defaults(ask=lambda given: stopped())
    share = asks.add_parser("share")
    share.add_argument("lasting", choices=LASTING)
    share.set_defaults(ask=lambda given: shared(given.lasting))
    answers = asks.add_parser("answers")
    answers.add_argument("port", type=int)
    answers.add_argument("pid", type=int)
    answers.set_defaults(ask=lambda given: answering(given.port, given.pid))
    return parser


if __name__ == "__main__":
    sys.exit(main())
