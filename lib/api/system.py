"""/api/health and /api/system: is everything up, and how full is the machine."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib import VERSION
from lib.api.answers import Healthy
from lib.api.operation import operation
from lib.core import lifecycle
from lib.core.access import Action, Role, carried, may, require, role
from lib.core.values import Frozen
from lib.engines import all_engines, all_models
from lib.engines.base import Engine, Health, Model
from lib.fleet.on_cards import model_names
from lib.machine import disks, sampler
from lib.machine.cards import Card, CardProcess, Cards
from lib.machine.disks import Disk
from lib.machine.network import Interface, interfaces
from lib.sharing import for_guests

PATIENCE_SECONDS = 2.0


class Held(Frozen):
    """What all running models of an engine hold."""

    memory_bytes: int


class KnownProcess(CardProcess):
    """A program on a card; `model` is the one that it runs, empty where it is not Berth's."""

    model: str = ""


class KnownCard(Card):
    """A graphics card, and to the owner who uses it."""

    processes: tuple[KnownProcess, ...] = ()


class KnownCards(Cards):
    """All graphics cards; none and no problem where there is no NVIDIA driver."""

    cards: tuple[KnownCard, ...] = ()


class System(Frozen):
    """What GET /api/system answers."""

    machine: sampler.Machine
    now: sampler.Sample
    swap_bytes: int
    cards: KnownCards
    engines: dict[str, Held]
    # For the owner: the disks, and the ways to other machines.
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()


@operation(Healthy)
async def health(request: Request) -> Response:
    """Whether Berth answers, and which engines do."""
    require(Action.LOOK)
    services = await asyncio.gather(*map(service, all_engines().values()))
    return JSONResponse(
        {
            "ok": True,
            "version": VERSION,
            "uptime_seconds": round(lifecycle.uptime_seconds(), 1),
            "services": [found for found in services if not found["is_absent"]],
        }
    )


@operation(System)
async def machine(request: Request) -> Response:
    """What the machine is, how busy it and its graphics cards are, and what the engines hold."""
    require(Action.LOOK)
    told = await run_in_threadpool(carried(_system))
    return JSONResponse(told.model_dump(mode="json"))


async def service(engine: Engine) -> dict[str, Any]:
    """One engine's name and health; one that hangs counts as down."""
    try:
        found = await asyncio.wait_for(asyncio.to_thread(engine.health), PATIENCE_SECONDS)
    except TimeoutError:
        found = Health(up=False, problem=f"No answer within {PATIENCE_SECONDS:.0f} s.")
    hidden = {"note"} if role() != Role.OWNER else set()  # it may name other machines
    told = for_guests.of_health(found).model_dump(exclude=hidden)
    return {"name": engine.name, "title": engine.title, **told}


def _system() -> System:
    held: Counter[str] = Counter()
    models = all_models()
    for model in models:
        held[model.engine] += model.memory_bytes or 0
    is_owners = may(Action.CONFIGURE)
    return System(
        machine=sampler.machine(),
        now=sampler.SAMPLER.latest(),
        swap_bytes=sampler.swap_bytes(),
        cards=_known(sampler.SAMPLER.cards(), models),
        engines={name: Held(memory_bytes=held[name]) for name in all_engines()},
        disks=tuple(disks.seen() or ()) if is_owners else (),
        interfaces=tuple(interfaces(sampler.SAMPLER.traffic())) if is_owners else (),
    )


def _known(seen: Cards, models: Sequence[Model]) -> KnownCards:
    """With the models that run on them; guests do not learn what else does."""
    told, names = seen.model_dump(), model_names(seen.cards, models)
    for card in told["cards"]:
        card["processes"] = [
            process | {"model": names.get(process["pid"], "")}
            for process in card["processes"]
            if may(Action.DEPLOY)
        ]
    return KnownCards.model_validate(told)


def routes() -> list[Route]:
    """Below /api."""
    return [Route("/health", health), Route("/system", machine)]
