"""Deployments in a terminal and for scripts: what one would do, what fits, or begin one."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from lib import dashboard
from lib.core.access import own_process
from lib.deploy import fit_command
from lib.deploy.job import require_disk, require_room, start
from lib.deploy.plan import plan
from lib.deploy.request import DeployRequest, wished
from lib.deploy.shapes import Plan
from lib.deploy.table import table
from lib.download.hub_files import folder_of
from lib.fit.memory import Room
from lib.jobs import phase
from lib.jobs.report import Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for and return the exit code; 3 where the model does not fit."""
    own_process()
    given = _parser().parse_args(arguments)
    code: int = given.run(given)
    return code


def _as_phase(work: Callable[[argparse.Namespace, Report], None]) -> Callable[..., int]:
    """The work with its errors and its end told as those of a script's step."""
    return lambda given: phase.run(partial(work, given))


def _plan(given: argparse.Namespace, report: Report) -> None:
    if not given.json:
        report.begin("plan", f"Looking up {given.model}.")
    request = _request(given)
    found = plan(request, _room(given), ask_engine=not given.json)
    report.say(found.model_dump_json() if given.json else table(found))
    if given.save:
        given.save.write_text("\n".join(_lines(found)) + "\n", encoding="utf-8")
    if not given.json:
        require_room(found, request.accept_danger)
        require_disk(found)
        report.end()


def _start(given: argparse.Namespace, report: Report) -> None:
    job = start(_request(given))
    report.say(f"“{job.title}” runs in the background.")
    found = dashboard.running()
    where = f"{found.url}/Deploy" if found else f"tail -f {shlex.quote(str(job.folder / 'log'))}"
    report.say(f"Follow it: {where}")


def _request(given: argparse.Namespace) -> DeployRequest:
    return wished(
        model=given.model,
        quantization=given.quant,
        file=given.file,
        revision=given.revision,
        context=given.context,
        slots=given.slots,
        kv_type=given.kv_type,
        engine=given.engine,
        accept_danger=given.accept_danger,
    )


def _room(given: argparse.Namespace) -> Room | None:
    if not given.free_bytes or not given.total_bytes:
        return None
    return Room(free_bytes=given.free_bytes, total_bytes=given.total_bytes)


def _lines(found: Plan) -> Iterator[str]:
    """What a script needs of the plan: `name=value`, one a line."""
    yield f"engine={found.engine.name}"
    yield f"engine_installed={'yes' if found.engine.is_installed else 'no'}"
    yield f"engine_running={'yes' if found.engine.is_running else 'no'}"
    yield f"tier={int(found.tier)}"
    yield f"repository={found.repository}"
    yield f"revision={found.revision}"
    yield f"name={found.name}"
    yield f"pulled={'yes' if found.is_pulled else 'no'}"
    yield f"installed={'yes' if found.is_installed else 'no'}"
    yield f"sha256={found.files[0].sha256}"
    yield f"context={found.context}"
    yield f"tight={'yes' if found.verdict.is_tight else 'no'}"
    yield f"first={_first(found)}"
    yield from (f"file={file.path}" for file in found.files)


def _first(found: Plan) -> Path:
    """Where the (first) file is, or will be."""
    return folder_of(found.repository, found.revision) / found.files[0].path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.deploy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("start", help="deploy a model in the background")
    _add_request(one)
    one.set_defaults(run=_as_phase(_start))
    one = commands.add_parser("plan", help="what deploying a model would do")
    _add_request(one)
    one.add_argument("--free-bytes", type=int, default=0, help="memory, if not this machine's")
    one.add_argument("--total-bytes", type=int, default=0)
    one.add_argument("--json", action="store_true", help="the whole plan as JSON")
    one.add_argument("--save", type=Path, help="write what scripts need into this file")
    one.set_defaults(run=_as_phase(_plan))
    one = commands.add_parser("fit", help="whether a model fits this machine")
    fit_command.add_options(one)
    one.set_defaults(run=fit_command.run)
    return parser


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="what names a repository, or the whole path of a .gguf file")
    parser.add_argument("--quant", default="", metavar="Q", help="a quantization, or a file's name")
    parser.add_argument("--file", default="", metavar="PATH", help="a file or folder in it")
    parser.add_argument("--revision", default="main", help="a branch, tag or commit of it")
    parser.add_argument("--context", type=int, default=None, metavar="N", help="tokens per slot")
    parser.add_argument("--slots", type=int, default=1, metavar="N")
    parser.add_argument("--kv-type", default="f16", choices=["f16", "q8_0", "q4_0"])
    parser.add_argument("--engine", default="auto", choices=["auto", "ollama", "llamacpp"])
    parser.add_argument(
        "--accept-danger", action="store_true", help="use up to 95 %% of the memory"
    )


if __name__ == "__main__":
    sys.exit(main())
