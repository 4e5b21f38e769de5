"""Something to click, and the start at login, for a terminal and for setup.sh."""

import argparse
import sys
from collections.abc import Callable

from lib.core.access import own_process
from lib.core.errors import BerthError
from lib.login import at_login, icon
from lib.login.piece import Standing

WAYS: dict[str, tuple[Callable[[], Standing], Callable[[int], str], Callable[[], str]]] = {
    "icon": (icon.look, icon.put_there, icon.take_away),
    "start": (at_login.look, at_login.turn_on, at_login.turn_off),
}


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for and return the exit code; `is` alone tells by it: 0 where it is so."""
    own_process()
    given = _parser().parse_args(arguments)
    look, turn_on, turn_off = WAYS[given.what]
    try:
        if given.how == "is":
            return _told(look())
        if given.dry_run:
            now = look()
            print(f"# {now.path}\n{now.text}", end="")
        else:
            print(turn_off() if given.how == "off" else turn_on(given.port))
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _told(now: Standing) -> int:
    state = "is on" if now.is_on else "is switched off" if now.found else "is not there"
    elsewhere = ", and starts another folder or BERTH_HOME" if now.is_stale else ""
    print(f"The {now.what} {state}{elsewhere}: {now.path}")
    return 0 if now.is_on and not now.is_stale else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.login", description=__doc__)
    parser.add_argument("what", choices=[*WAYS], help="icon: to click; start: at login")
    parser.add_argument("how", choices=["on", "off", "is"])
    parser.add_argument("--port", type=int, default=0, help="default: the port Berth runs on, 8501")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
