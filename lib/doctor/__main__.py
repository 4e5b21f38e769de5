"""What is not as it should be on this machine, for a terminal; without a command, all findings.

Exit code 0 where nothing needs anybody, 1 where something does.
"""

import argparse
import json
import sys
from pathlib import Path

from lib.core import access, words
from lib.core.errors import BadInput, BerthError, NotFound
from lib.core.names import shown
from lib.doctor import bundle, ignored, mends, report
from lib.doctor.finding import Finding
from lib.doctor.registry import REGISTRY, Look


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for and return the exit code."""
    given = _parser().parse_args(arguments)
    access.own_process()
    try:
        return int(given.run(given) or 0)
    except BerthError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _list(given: argparse.Namespace) -> int:
    look = REGISTRY.look()
    if given.json:
        print(json.dumps(report.as_json(look), ensure_ascii=False, indent=1))
    else:
        print(report.text(look), end="")
    return int(any(finding.needs_a_person for finding in look.shown()))


def _bundle(given: argparse.Namespace) -> None:
    entries = bundle.contents(REGISTRY.look())
    data = bundle.packed(entries)
    try:
        with given.file.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise BadInput(f"{given.file} is there already.", "Choose another name.") from error
    except OSError as error:
        raise BadInput(f"{given.file} cannot be written: {error.strerror}.") from error
    for entry in entries:
        print(f"  {entry.name}: {entry.about} ({words.disk(entry.bytes)})")
    print(f"{given.file} is written ({words.disk(len(data))}). Look into it before you send it.")


def _mend(given: argparse.Namespace) -> None:
    print(mends.mend(_find(REGISTRY.look(), given.id), waits=True))


def _ignore(given: argparse.Namespace) -> None:
    ignored.ignore(_find(REGISTRY.look(), given.id))
    print("It is ignored until it changes.")


def _show(given: argparse.Namespace) -> None:
    ignored.show(given.id)
    print("It is shown again.")


def _find(look: Look, finding_id: str) -> Finding:
    for finding in look.findings:
        if finding.id == finding_id:
            return finding
    raise NotFound(
        f"There is no finding “{shown(finding_id)}” now.", "python -m lib.doctor lists them."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the findings for a program")
    parser.set_defaults(run=_list)
    commands = parser.add_subparsers()
    one = commands.add_parser("bundle", help="pack what somebody needs who is asked for help")
    one.add_argument("file", type=Path, metavar="FILE", help="a ZIP file that is not there yet")
    one.set_defaults(run=_bundle)
    does = {
        "mend": ("do what the finding's button does", _mend),
        "ignore": ("do not show it any more, until it changes", _ignore),
        "show": ("show it again", _show),
    }
    for name, (told, run) in does.items():
        one = commands.add_parser(name, help=told)
        one.add_argument("id", metavar="ID")
        one.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
