"""What a deployment asks of the gateway: what stands in its way, what would come, its phases."""

from collections.abc import Iterator, Sequence

from pydantic import SecretStr

from lib.core.errors import BerthError
from lib.engines.base import Upstream
from lib.engines.vllm.places import Places, port
from lib.engines.vllm.units import Unit, read_units
from lib.jobs.report import Report
from lib.slots import installation, programs, service
from lib.slots.change import Doer
from lib.slots.gateway import backends, config_file, files, nginx_here, switch
from lib.slots.gateway.litellm import HOST, PORTS
from lib.slots.gateway.settings import gateway_settings
from lib.slots.gateway.switch import Gateway
from lib.slots.hands import Hands
from lib.slots.installation import LITELLM
from lib.slots.levels import Chain
from lib.slots.plan import SlotPlan
from lib.slots.request import SlotRequest


def gateway_problems(request: SlotRequest, places: Places) -> Iterator[BerthError]:
    """What stands in the gateway's way, found before anything is changed."""
    try:
        settings = gateway_settings(places)
    except BerthError as error:
        yield error
        return
    gateway = _gateway(request, places)
    if gateway.has_litellm:
        yield from config_file.problems(places)
        yield from programs.problems(LITELLM, programs.litellm(places), places)
    if gateway.has_nginx:
        yield from nginx_here.problems(places, settings.front)


def has_gateway(request: SlotRequest, places: Places) -> bool:
    """Is any part of it wanted, or there already?"""
    return any(on for _, on in _names(_gateway(request, places)))


def gateway_installs(request: SlotRequest, places: Places) -> Iterator[str]:
    """A sentence for each program that is missing and would come."""
    gateway, program = _gateway(request, places), programs.litellm(places)
    if gateway.has_litellm and not program.is_there:
        yield installation.sentence(LITELLM, program)
    if gateway.has_nginx and not nginx_here.is_installed():
        yield f"nginx, by the system's package manager: {' '.join(nginx_here.install_command())}"


def prepare_gateway(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    """The phase `gateway`: programs, settings, services, addresses; no model is opened yet."""
    gateway = _gateway(plan.request, places)
    names = [name for name, on in _names(gateway) if on]
    report.begin("gateway", f"Preparing {' and '.join(names)}." if names else "No gateway.")
    switch.prepare(gateway, doer, report)
    for name, on in _names(gateway):
        if not on:
            report.note(f"  left out: {name}")
    report.end()


def open_gateway(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    """The engine answers: LiteLLM learns of its model."""
    switch.open_models(_gateway(plan.request, places), doer, report)


def settle_gateway(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> None:
    """All levels passed: what was replaced comes to its end."""
    switch.settle(_gateway(plan.request, places), doer, report)


def remove_from_gateway(
    places: Places, slot: int, others: Sequence[Unit], hands: Hands, report: Report
) -> None:
    """The slot's model and addresses taken out; with the last slot, the gateway."""
    switch.leave(places, [unit for unit in others if unit.slot != slot], hands, report)


def chain(plan: SlotPlan, places: Places) -> Chain:
    """The ways to the model, for the tests and for its user."""
    gateway, key = _gateway(plan.request, places), service.key(plan.slot, places)
    own = plan.request.name
    base = f"http://{HOST}:{gateway_settings(places).port}"
    engine = _upstream(f"http://{HOST}:{port(plan.slot)}/v1", own, key)
    nginx = _upstream(f"{base}/slot-{plan.slot}/v1", own, key) if gateway.has_nginx else None
    if gateway.active is None:
        return Chain(nginx=nginx, litellm=None, whole=nginx or engine)
    alias, master = alias_of(plan.slot, places), files.master_key(places)
    litellm = _upstream(f"http://{HOST}:{PORTS[gateway.active]}/v1", alias, master)
    whole = _upstream(f"{base}/v1", alias, master) if gateway.has_nginx else litellm
    return Chain(nginx=nginx, litellm=litellm, whole=whole)


def alias_of(slot: int, places: Places) -> str:
    """What clients of LiteLLM call the slot's model."""
    named = backends.named(switch.wanted_models(places, read_units(places)))
    variable = backends.slot_variable(slot)
    return next((one.name for one in named if one.backend.key_variable == variable), "")


def _gateway(request: SlotRequest, places: Places) -> Gateway:
    return Gateway(places, with_litellm=request.with_gateway, with_nginx=request.with_nginx)


def _names(gateway: Gateway) -> list[tuple[str, bool]]:
    return [("LiteLLM", gateway.has_litellm), ("nginx", gateway.has_nginx)]


def _upstream(base_url: str, model: str, key: str) -> Upstream:
    return Upstream(base_url=base_url, model=model, key=SecretStr(key) if key else None)
