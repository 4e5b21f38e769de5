"""All that serves here in one list: engines, GPU slots, LiteLLM, nginx, and the Hub.

What has to be asked for is asked in the background; a page shows how it was found last.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.core.settings import settings
from lib.engines import all_engines, present_engines
from lib.engines.base import Engine, Health, Model, State
from lib.engines.vllm.places import Places, places
from lib.hub import heard, reach
from lib.hub.errors import hub_host
from lib.machine.lately import Lately
from lib.machine.sampler import SAMPLER
from lib.machine.since import of_program
from lib.sharing import for_guests
from lib.slots.services import Service, services
from lib.ui import listing, markdown, models

REFRESH_SECONDS = 10.0
PATIENCE_SECONDS = 1.0  # of a page, for what hangs
FRESH_SECONDS = 4.0
PROCESSES_SECONDS = 30.0

_OLLAMA = Lately(lambda: of_program("ollama", "Ollama") or 0.0, PROCESSES_SECONDS)
_HUB = Lately(reach.look, FRESH_SECONDS)


class Row(NamedTuple):
    """A service, and what else its owner is told of it."""

    service: Service
    lines: Sequence[str] = ()
    word: str = ""  # instead of its state's


def section() -> None:
    """Engines for everybody, the rest for the owner; what is not here is left out."""
    st.header("Services")
    _live()


@st.fragment(run_every=REFRESH_SECONDS)
def _live() -> None:
    for row in [*_engines(), *(_of_the_owner() if may(Action.CONFIGURE) else ())]:
        with st.container(border=True, gap="xsmall", key=f"service-{row.service.title}"):
            _drawn(row)


def _drawn(row: Row) -> None:
    service = row.service
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{markdown.plain(service.title)}**", width="content")
        st.badge(row.word or str(service.state), color=models.COLOURS[service.state])
        begun = f"started {words.ago(service.since)}" if service.since else ""
        about = " · ".join(filter(None, (service.version, service.about, begun)))
        if about:
            st.caption(markdown.plain(about), width="content")
    for line in filter(None, (service.problem, *row.lines)):
        st.caption(markdown.plain(line))


def _engines() -> Iterator[Row]:
    every, known = listing.models(), all_engines()
    for name, health in present_engines().items():
        of_it = [model for model in every if model.engine == name]
        told = for_guests.of_health(health)
        yield Row(of_engine(known[name], told, of_it), _lines(health, of_it))


def of_engine(engine: Engine, health: Health, its_models: Sequence[Model]) -> Service:
    """An engine as a service; the built-in one runs in a process for each model."""
    down = State.STOPPED if health.is_stopped else State.FAILED
    running = [model for model in its_models if model.state == State.READY]
    return Service(
        title=engine.title,
        state=State.READY if health.up else down,
        version=health.version,
        about=f"{words.count(len(running), 'model')} running" if running else "",
        problem="" if health.up else f"{health.problem} {health.fix}".strip(),
        since=_since(engine, running) if health.up else None,
    )


def _since(engine: Engine, running: Sequence[Model]) -> float | None:
    """Of a server of its own when that began; else when the first of what runs did."""
    if engine.name == "ollama":
        return _OLLAMA.seen() or None
    begun = [model.started_at for model in running if model.started_at and not model.is_elsewhere]
    return min(begun, default=None)


def _lines(health: Health, its_models: Sequence[Model]) -> list[str]:
    """For the owner: what is worth knowing of it, and what its models do now."""
    if not may(Action.CONFIGURE):
        return []
    busy = [f"{model.name}: {model.activity}" for model in its_models if model.activity]
    return [health.note, *busy]


def _of_the_owner() -> Iterator[Row]:
    yield from map(Row, _of_place(places()).seen(PATIENCE_SECONDS) or ())
    yield from of_hub(_heard(), time.time())


@lru_cache(maxsize=4)
def _of_place(there: Places) -> Lately[list[Service]]:
    """Slots and what stands before them; asking each takes a moment, and longer where it hangs."""
    return Lately(lambda: services(SAMPLER.cards(), there), FRESH_SECONDS)


def _heard() -> heard.Standing:
    """The Hub is asked in the background where a server runs, and by nobody else."""
    if SAMPLER.is_looking:
        _HUB.seen()
    return heard.standing()


def of_hub(standing: heard.Standing, now: float) -> Iterator[Row]:
    """How it was found last, or that it is being asked; nothing where nobody asks it."""
    hub = Service(title="Hugging Face Hub", state=State.STOPPED, about=hub_host())
    if settings().is_offline:
        said = "HF_HUB_OFFLINE is set: nothing is looked up and nothing is downloaded."
        yield Row(hub.model_copy(update={"problem": said}))
    elif standing.asked:
        last = f"answered {words.ago(standing.answered, now)}" if standing.answered else ""
        changes = {
            "state": State.FAILED if standing.problem else State.READY,
            "about": " · ".join(filter(None, (hub.about, last))),
            "problem": standing.problem,
        }
        yield Row(hub.model_copy(update=changes))
    elif SAMPLER.is_looking:
        said = "Whether it can be reached is being looked up."  # in the place of what comes of it
        yield Row(hub.model_copy(update={"problem": said}), word="Asking")
