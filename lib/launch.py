"""What setup.sh has to know of a dashboard: `python -m lib.launch --help`.

running            its address; exit code 1 where none runs for this BERTH_HOME
link               its address with the owner's key; exit code 1 where it does not ask for one
free-port PORT     PORT, or the next one that no program uses
answers PORT PID   its address, as soon as process PID answers there; exit code 1 where it ends
"""

import argparse
import sys
import time

import psutil

from lib import dashboard
from lib.core import access, http, owner_key
from lib.core.errors import BerthError, Conflict, EngineError

PATIENCE_SECONDS = 120.0  # a cold disk and a virus scanner make the first start slow
ASK_EVERY_SECONDS = 0.1
PORTS_TRIED = 100


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
    answers = asks.add_parser("answers")
    answers.add_argument("port", type=int)
    answers.add_argument("pid", type=int)
    answers.set_defaults(ask=lambda given: answering(given.port, given.pid))
    return parser


if __name__ == "__main__":
    sys.exit(main())
