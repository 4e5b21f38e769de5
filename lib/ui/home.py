"""The home page's parts: figures of the machine, what runs, what happened."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.engines import all_models
from lib.engines.base import State
from lib.machine.sampler import SAMPLER, machine
from lib.ui import activity_view, models
from lib.ui.shell import stale_figures

REFRESH_SECONDS = 2.0
CARD_WIDTH = 168
SHOWN = 5


@st.fragment(run_every=REFRESH_SECONDS)
def overview() -> None:
    """All of it, kept up to date: figures, models, and for the owner what happened."""
    figures()
    running()
    activity_view.section()


def figures() -> None:
    """Four cards: running models, memory, processor, disk."""
    found, now = all_models(), SAMPLER.latest()
    running = sum(model.state == State.READY for model in found)
    share = now.memory_used_bytes / machine().memory_bytes
    with st.container(horizontal=True):
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


def running() -> None:
    """The models that run or are about to, each with Chat and Stop; else the ones to start."""
    found = all_models()
    awake = [model for model in found if model.state != State.STOPPED]
    st.subheader("Running" if awake else _nothing_runs())
    for model in (awake or found)[:SHOWN]:
        models.row(model)
    with st.container(horizontal=True):
        st.page_link("pages/3_Chat.py", label="Open the chat", icon=":material/chat:")
        st.page_link("pages/2_Models.py", label="All models", icon=":material/deployed_code:")
        deploy_link("Deploy a model")


def _nothing_runs() -> str:
    return "Ready to start" if may(Action.RUN) else "Not running"


def deploy_link(label: str) -> None:
    """The owner's way to any other model."""
    if may(Action.DEPLOY):
        st.page_link("pages/1_Deploy.py", label=label, icon=":material/rocket_launch:")
