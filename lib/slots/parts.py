"""What other rooms and programs give a deployment: parsers, vLLM itself, LiteLLM and nginx."""

from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import BerthError, EngineError
from lib.engines.base import Upstream
from lib.engines.vllm.places import Places, port
from lib.engines.vllm.units import Unit
from lib.jobs.report import Report
from lib.slots import service
from lib.slots.change import Doer
from lib.slots.engine_settings import EngineSettings
from lib.slots.hands import Hands
from lib.slots.levels import Chain
from lib.slots.plan import Program, SlotPlan
from lib.slots.request import SlotRequest


def program(places: Places, extra: EngineSettings, cuda: tuple[int, int] | None) -> Program:
    found = sorted(places.programs.glob("vllm-*/bin/vllm"))
    if not found:
        return Program(folder=Path("/opt/berth/vllm-0.33.0"), version="0.33.0", is_there=False)
    folder = found[-1].parent.parent
    return Program(
        folder=Path("/") / folder.relative_to(places.root),
        version=folder.name.removeprefix("vllm-"),
        is_there=True,
    )


def install_program(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    if not plan.program.is_there:
        raise EngineError("vLLM is not installed.", "Install it.")


def python(program: Program, places: Places) -> str:
    folder = places.root / program.folder.relative_to("/")
    return str(folder / "bin/python") if program.is_there else ""


def program_problems(
    program: Program, cuda: tuple[int, int] | None, places: Places
) -> Iterator[BerthError]:
    yield from ()


def installs(request: SlotRequest, program: Program, places: Places) -> Iterator[str]:
    yield from ()


def gateway_problems(request: SlotRequest, places: Places) -> Iterator[BerthError]:
    yield from ()


def prepare_gateway(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    report.begin("gateway", "Nothing to do.")
    report.end()


def open_gateway(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    pass


def chain(plan: SlotPlan, places: Places) -> Chain:
    own = service.engine(plan.slot, plan.request.name, places)
    direct = Upstream(
        base_url=f"http://127.0.0.1:{port(plan.slot)}/v1", model=plan.request.name, key=own.key
    )
    return Chain(nginx=None, litellm=None, whole=direct)


def remove_from_gateway(
    places: Places, slot: int, others: list[Unit], hands: Hands, report: Report
) -> None:
    pass
