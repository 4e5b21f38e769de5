"""The services of the GPU side, as an administrator asks: what version, does it run, why not."""

import re
from collections.abc import Iterator

from lib.core.errors import BerthError
from lib.core.http import get_text
from lib.core.values import Frozen
from lib.engines.base import State
from lib.engines.vllm import systemd
from lib.engines.vllm.places import Places
from lib.engines.vllm.units import mark_of, scan
from lib.machine.cards import Cards
from lib.machine.since import of_program
from lib.processes.command import run
from lib.slots import litellm_floors
from lib.slots.gateway import files
from lib.slots.gateway.litellm import HOST, PORTS, UNITS
from lib.slots.overview import Slot, slots

PATIENCE_SECONDS = 2.0
LOG = "Its log: journalctl -u {unit}"
_LISTENS = re.compile(rf"listen {re.escape(HOST)}:(\d+);")
_NGINX = re.compile(r"nginx/(\d+(?:\.\d+)+)")


class Service(Frozen):
    """One of them."""

    title: str
    state: State
    version: str = ""
    about: str = ""  # what it is for, or what runs in it
    problem: str = ""  # why it does not work, and what to do
    since: float | None = None  # epoch seconds: when what runs of it was started


def services(seen: Cards, places: Places) -> list[Service]:
    """Those that are set up here, the slots first; none on a machine without any."""
    found = scan(places)
    of_slots = [_slot(slot) for slot in slots(seen, places) if slot.unit]
    broken = [
        Service(title=name.removesuffix(".service"), state=State.FAILED, problem=problem)
        for name, problem in found.problems.items()
    ]
    return [*of_slots, *broken, *_litellm(places), *_nginx(places)]


def _slot(slot: Slot) -> Service:
    unit, model = slot.unit, slot.model
    return Service(
        title=f"Slot {slot.number}",
        state=model.state if model else State.STOPPED,
        version=f"vLLM {unit.vllm}" if unit and unit.vllm else "",
        about=slot.name,
        problem=(model.problem or model.note) if model else "",
        since=model.started_at if model else None,
    )


def _litellm(places: Places) -> Iterator[Service]:
    """The one that clients reach; its successor is there only while it takes over."""
    second = files.is_second_active(places)
    text = files.text(files.unit(places, second))
    if not text:
        return
    version = mark_of(text).get("LiteLLM", "")
    state, problem, since = _standing(
        UNITS[second], f"http://{HOST}:{PORTS[second]}/health/liveliness"
    )
    yield Service(
        title="LiteLLM",
        state=state,
        version=version,
        about=f"one address for all models, port {PORTS[second]}",
        problem=problem or (litellm_floors.objection(version) if version else ""),
        since=since,
    )


def _nginx(places: Places) -> Iterator[Service]:
    text = files.text(files.nginx_config(places))
    listens = _LISTENS.search(text)
    if listens is None:
        return
    told = run(["nginx", "-v"], seconds=PATIENCE_SECONDS)
    version = _NGINX.search(told.stderr + told.stdout)
    answers = _answers(f"http://{HOST}:{listens[1]}/health")
    yield Service(
        title="nginx",
        state=State.READY if answers else State.FAILED,
        version=version[1] if version else "",
        about=f"the way in, port {listens[1]}",
        problem="" if answers else f"It does not answer. {LOG.format(unit='nginx')}",
        since=of_program("nginx") if answers else None,
    )


def _standing(unit: str, url: str) -> tuple[State, str, float | None]:
    """How a service of ours stands, why it does not answer, and since when its program runs."""
    try:
        now = systemd.state(unit)
    except BerthError as error:
        return State.FAILED, str(error), None
    if now.is_running and _answers(url):
        return State.READY, "", now.since
    if now.is_running or now.active == "activating":
        return State.STARTING, f"It does not answer yet. {LOG.format(unit=unit)}", now.since
    if now.gave_up:
        return State.FAILED, f"It ended too often. {LOG.format(unit=unit)}", None
    return State.STOPPED, f"Start it: sudo systemctl start {unit}", None


def _answers(url: str) -> bool:
    try:
        get_text(url, seconds=PATIENCE_SECONDS)
    except BerthError:
        return False
    return True
