"""The home page's parts: figures of the machine and of today, what runs, and ways to go on."""

from collections.abc import Mapping, Sequence

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.engines import all_engines, all_models, present_engines
from lib.engines.base import Model, State
from lib.fleet import served
from lib.fleet.served import PROGRAM, Share
from lib.machine.sampler import SAMPLER, machine
from lib.sharing import limits
from lib.ui import guide, markdown, models, sparkline
from lib.ui.deploy import starter
from lib.ui.shell import stale_figures

REFRESH_SECONDS = 2.0
CARD_WIDTH = 156  # two stand side by side on 360 pixels
SHOWN = 5
SPARKLINE_WIDTH = 104
MINUTES = 30  # of a sparkline
MOST_ASKERS = 6
ASKERS = {"": "you", "guest": "guests", PROGRAM: "programs", "Berth": "Berth's own tests"}


def overview(found: Sequence[Model]) -> None:
    """All of it, kept up to date; `found` are the models as they are now."""
    starter.news()
    at_first = [found]  # looking for them is what costs most
    st.fragment(_overview, run_every=REFRESH_SECONDS)(at_first)


def first_day() -> None:
    """What stands here as long as there is no model."""
    if may(Action.CONFIGURE):
        guide.section(has_models=False)
        st.fragment(figures, run_every=REFRESH_SECONDS)([])
    starter.invitation()
    deploy_link("Deploy another model from Hugging Face")


def _overview(at_first: list[Sequence[Model]]) -> None:
    found = at_first.pop() if at_first else all_models()
    if not found:
        st.rerun()  # the last one has gone: the page begins as on the first day
    if not may(Action.CONFIGURE):
        _for_a_guest(limits.usable(found))
        return
    guide.section(bool(found))
    figures(found)
    today()
    running(found)


def figures(found: Sequence[Model]) -> None:
    """Four cards: running models, memory, processor, disk."""
    now = SAMPLER.latest()
    running = sum(model.state == State.READY for model in found)
    share = now.memory_used_bytes / machine().memory_bytes
    with st.container(horizontal=True, key="home_figures"):
        _card("Running", str(running), f"of {words.count(len(found), 'model')}")
        _card("Memory", f"{share:.0%}", f"{words.memory(now.memory_available_bytes)} free")
        _card("Processor", f"{now.cpu_percent:.0f}%", words.count(machine().cores, "core"))
        _card("Disk", words.disk(now.disk_free_bytes), "free for models")
    stale_figures()


def _card(label: str, value: str, note: str) -> None:
    st.metric(
        label,
        value,
        delta=note,
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=CARD_WIDTH,
        height="stretch",
    )


def today() -> None:
    """What was asked since midnight, in a line that always stands there."""
    now = served.today()
    if not now.requests:
        st.markdown("**Today** nothing was asked yet.")
        return
    sums = f"{words.count(now.requests, 'request')}, {words.count(now.tokens, 'token')}"
    st.markdown(f"**Today** {sums}: {by_whom(now.by)}.")


def by_whom(by: Mapping[str, Share]) -> str:
    """`you 30, guests 5, laptop 2`: requests, of whoever asked most first; API keys by name."""
    named = [
        f"{markdown.plain(ASKERS.get(who, who))} {share.requests:,}" for who, share in by.items()
    ]
    others = sum(share.requests for share in [*by.values()][MOST_ASKERS:])
    return ", ".join(named[:MOST_ASKERS] + ([f"others {others:,}"] if others else []))


def running(found: Sequence[Model]) -> None:
    """The models that run or are about to, each with its last half hour; else those to start."""
    awake = [model for model in found if model.state != State.STOPPED]
    st.header("Running" if awake else "Not running")
    for model in awake[:SHOWN] or _used_lately(found)[:SHOWN]:
        with st.container(gap="xsmall"):
            models.row(model)
            if awake:
                _last_half_hour(model)
    _down()
    _actions(len(awake) - SHOWN)


def _used_lately(found: Sequence[Model]) -> list[Model]:
    """The one that answered last comes first."""
    return sorted(found, key=lambda m: served.last_used(m.engine, m.name) or 0.0, reverse=True)


def _last_half_hour(model: Model) -> None:
    """How much it wrote by the minute, in a strip that always stands there."""
    written = served.per_minute(model.engine, model.name, MINUTES)
    sums = words.count(sum(written), "token") if any(written) else "no tokens"
    speed = served.last_speed(model.engine, model.name)
    fast = f" · {speed:,.1f} tok/s" if speed else ""
    with st.container(
        horizontal=True, vertical_alignment="center", key=f"lately-{model.engine}-{model.name}"
    ):
        told = f"{model.called}: {sums} in the last {MINUTES} minutes"
        st.html(sparkline.drawn(written, told), width=SPARKLINE_WIDTH)
        st.caption(f"{sums} in {MINUTES} min{fast}", width="content")


def _down() -> None:
    """Engines that are here and cannot be used, each with what to do."""
    for name, health in present_engines().items():
        if not health.up:
            said = f"{health.problem or all_engines()[name].title + ' is down.'} {health.fix}"
            st.caption(f":material/power_off: {markdown.plain(said.strip())}")


def _actions(more: int) -> None:
    """One line of ways to go on."""
    every = f"{more} more on Models" if more > 0 else "All models"
    with st.container(horizontal=True, vertical_alignment="center", key="home_actions"):
        st.page_link("pages/3_Chat.py", label="Open the chat", icon=":material/chat:")
        st.page_link("pages/2_Models.py", label=every, icon=":material/deployed_code:")
        deploy_link("Deploy a model")
        st.page_link("pages/4_System.py", label="Share", icon=":material/share:")
        st.page_link("pages/4_System.py", label="Doctor", icon=":material/stethoscope:")
        _address()


def _address() -> None:
    """Drawn once it is opened: what shows code is half of a first visit's bytes, and slow."""
    address = st.popover(
        "OpenAI address",
        icon=":material/link:",
        type="tertiary",
        key="home_address",
        on_change="rerun",
    )
    if address.open:
        address.caption("Every model that runs answers here; its name goes into `model`.")
        address.code(f"{models.base_url()}/v1", language=None)


def _for_a_guest(found: Sequence[Model]) -> None:
    """What is theirs: the models that they may ask."""
    if not found:
        starter.invitation()
        return
    awake = [model for model in found if model.state == State.READY]
    st.header("Running" if awake else "Not running")
    for model in (awake or found)[:SHOWN]:
        models.row(model)
    with st.container(horizontal=True):
        st.page_link("pages/3_Chat.py", label="Open the chat", icon=":material/chat:")
        st.page_link("pages/2_Models.py", label="All models", icon=":material/deployed_code:")


def deploy_link(label: str) -> None:
    """The owner's way to any other model."""
    if may(Action.DEPLOY):
        st.page_link("pages/1_Deploy.py", label=label, icon=":material/rocket_launch:")
