"""What deploy_model.sh has done for it: the check, the deployment, the way back, and more."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lib import dashboard
from lib.core.access import own_process
from lib.core.errors import BadInput
from lib.engines.vllm.places import MOST_SLOTS, places, slot_number
from lib.jobs import phase
from lib.jobs.report import Report
from lib.slots import job, nodes, phases, plan, removal, step, table
from lib.slots.change import Rehearsal
from lib.slots.check import collected
from lib.slots.request import NodesRequest, SlotRequest, nodes_wished, wished


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for and return the exit code."""
    own_process()
    os.umask(0o022)  # engines and LiteLLM have an account of their own, which must get to its files
    given = _parser().parse_args(arguments)
    code: int = phase.run(partial(given.run, given))
    return code


def _check(given: argparse.Namespace, report: Report) -> None:
    report.begin("check", f"Looking up {given.model}, and at this machine.")
    found = collected.check(_request(given), places())
    if found.plan:
        report.say(table.table(found, places()))
        plan.save(found.plan, given.save)
    if not found.problems:
        report.end("Nothing stands in the way.")
        return
    goes_on = given.dry_run and found.plan and not isinstance(found.problems[0], BadInput)
    for line in table.obstacles(found.problems) if goes_on or len(found.problems) > 1 else ():
        report.note(line)
    if not goes_on:
        raise table.summary(found.problems)
    report.end("It would be refused here. This is what would be done without that:")


def _deploy(given: argparse.Namespace, report: Report) -> None:
    found = plan.load(given.plan)
    if given.dry_run:
        doer = Rehearsal(report)
        rehearsal = step.Step(found, places(), report, doer, given.plan, is_rehearsal=True)
        step.rehearse(phases.ALL, rehearsal)
    else:
        step.perform(phases.ALL, found, places(), report, given.plan)


def _undo(given: argparse.Namespace, report: Report) -> None:
    step.undo(places(), given.slot, report, waits=not given.without_waiting)


def _remove(given: argparse.Namespace, report: Report) -> None:
    removal.remove(places(), slot_number(given.slot), report, is_rehearsal=given.dry_run)


def _remember(given: argparse.Namespace, _report: Report) -> None:
    phases.remember(plan.load(given.plan).slot, given.plan)


def _forget(given: argparse.Namespace, _report: Report) -> None:
    phases.forget(slot_number(given.slot))


def _nodes(given: argparse.Namespace, report: Report) -> None:
    nodes.write(_request(given), _nodes_request(given), report, is_rehearsal=given.dry_run)


def _background(given: argparse.Namespace, report: Report) -> None:
    started = job.start(_request(given))
    report.say(f"“{started.title}” runs in the background.")
    found = dashboard.running()
    where = (
        f"{found.url}/Deploy" if found else f"tail -f {shlex.quote(str(started.folder / 'log'))}"
    )
    report.say(f"Follow it: {where}")


def _request(given: argparse.Namespace) -> SlotRequest:
    return wished(
        model=given.model,
        slot=given.slot,
        context=given.max_model_len,
        served_name=given.served_name,
        tensor_parallel=given.tensor_parallel,
        cards=tuple(part.strip() for part in given.cards.split(",") if part.strip()),
        quantization=given.quantization,
        kv_cache=given.kv_cache_dtype,
        max_num_seqs=given.max_num_seqs,
        utilization=given.gpu_memory_utilization or None,
        is_text_only=given.text_only,
        with_gateway=not given.without_gateway,
        with_nginx=not given.without_nginx,
    )


def _nodes_request(given: argparse.Namespace) -> NodesRequest:
    return nodes_wished(
        count=given.nodes,
        addresses=tuple(part.strip() for part in given.addresses.split(",") if part.strip()),
        interface=given.nic,
        folder=given.output,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.slots", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = _command(commands, "check", _check, "what stands in a deployment's way")
    _add_request(one)
    one.add_argument("--save", type=Path, required=True, help="a folder for the plan")
    one.add_argument("--dry-run", action="store_true")
    one = _command(commands, "deploy", _deploy, "all that comes after the check")
    one.add_argument("--plan", type=Path, required=True, help="the folder with the plan")
    one.add_argument("--dry-run", action="store_true")
    one = _command(commands, "undo", _undo, "take a broken-off deployment back")
    one.add_argument("--slot", type=slot_number, required=True)
    one.add_argument("--without-waiting", action="store_true", help="for the former model")
    one = _command(commands, "remove", _remove, "take all of a slot away")
    one.add_argument("slot", help=f"0 to {MOST_SLOTS - 1}")
    one.add_argument("--dry-run", action="store_true")
    one = _command(commands, "remember", _remember, "keep what the engine gave, and its key")
    one.add_argument("--plan", type=Path, required=True)
    one = _command(commands, "forget", _forget, "forget the key of a slot that is gone")
    one.add_argument("slot")
    one = _command(commands, "nodes", _nodes, "a unit file for each of several machines")
    _add_request(one)
    one.add_argument("--nodes", type=int, required=True)
    one.add_argument("--addresses", default="")
    one.add_argument("--nic", default="")
    one.add_argument("--output", type=Path, default=Path("berth-nodes"))
    one.add_argument("--dry-run", action="store_true")
    _add_request(_command(commands, "background", _background, "deploy in the background"))
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    work: Callable[[argparse.Namespace, Report], None],
    about: str,
) -> argparse.ArgumentParser:
    one = commands.add_parser(name, help=about)
    one.set_defaults(run=work)
    return one


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="organisation/name")
    parser.add_argument("slot", help=f"0 to {MOST_SLOTS - 1}")
    parser.add_argument("--max-model-len", default="auto", metavar="N")
    parser.add_argument("--served-name", default="", metavar="S")
    parser.add_argument("--tensor-parallel", type=int, default=1, metavar="N")
    parser.add_argument("--cards", default="", metavar="UUID,…")
    parser.add_argument("--quantization", default="", metavar="Q")
    parser.add_argument("--kv-cache-dtype", default="", metavar="D")
    parser.add_argument("--max-num-seqs", type=int, default=None, metavar="N")
    parser.add_argument("--gpu-memory-utilization", default="", metavar="U")
    parser.add_argument("--text-only", action="store_true")
    parser.add_argument("--without-gateway", action="store_true")
    parser.add_argument("--without-nginx", action="store_true")


if __name__ == "__main__":
    sys.exit(main())
