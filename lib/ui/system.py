"""The system page's parts: the machine, its engines, and how busy it has been."""

import time

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.engines import all_engines, present_engines
from lib.engines.base import Engine, Health
from lib.machine.sampler import SAMPLER, Sample, machine
from lib.ui import charts, markdown
from lib.ui.cards import lines
from lib.ui.cards import usage as card_usage
from lib.ui.shell import stale_figures

REFRESH_SECONDS = 2.0
RANGES = {"5 min": 300, "15 min": 900, "1 hour": 3_600}  # seconds
FEWEST_POINTS = 3


def about() -> None:
    """The machine in a line."""
    here = machine()
    cores, memory = words.count(here.cores, "core"), words.memory(here.memory_bytes)
    parts = (here.cpu, cores, memory, lines.in_a_line(), here.os)
    st.markdown(markdown.plain(" · ".join(filter(None, parts))))


def engines() -> None:
    """Each engine: up or not, its version, and what to do where it is down."""
    st.subheader("Engines")
    for name, health in present_engines().items():
        with st.container(border=True, key=f"engine-{name}"):
            _engine(all_engines()[name], health)


def _engine(engine: Engine, health: Health) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{engine.title}**", width="content")
        st.badge("Up" if health.up else "Down", color="green" if health.up else "gray")
        if health.version:
            st.caption(f"version {markdown.plain(health.version)}", width="content")
    if not health.up:
        st.caption(markdown.plain(f"{health.problem} {health.fix}".strip()))
    if may(Action.CONFIGURE):
        _for_the_owner(engine, health)


def _for_the_owner(engine: Engine, health: Health) -> None:
    """What else is known of it, and what its models do now."""
    busy = [model for model in engine.models() if model.activity]
    said = [health.note, *(f"{model.name}: {model.activity}" for model in busy)]
    for text in filter(None, said):
        st.caption(markdown.plain(text))


def usage() -> None:
    """Processor, memory and graphics cards over the time that was chosen."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Usage", width="content")
        chosen = st.segmented_control(
            "Time range",
            list(RANGES),
            default="5 min",
            required=True,
            label_visibility="collapsed",
            key="system_range",
        )
    _charts(RANGES[chosen or "5 min"])


@st.fragment(run_every=REFRESH_SECONDS)
def _charts(seconds: int) -> None:
    since = time.time() - seconds
    samples = [sample for sample in SAMPLER.samples() if sample.at >= since]
    if len(samples) < FEWEST_POINTS:
        st.caption("The first figures come in a few seconds.")
        return
    is_dark, total = st.context.theme.type == "dark", machine().memory_bytes / 2**30
    processor = charts.over_time(
        samples, _cpu_percent, title="Processor, %", top=100, is_dark=is_dark
    )
    memory = charts.over_time(samples, _used_gib, title="Memory, GiB", top=total, is_dark=is_dark)
    now = samples[-1]
    st.altair_chart(processor, alt=f"Processor use, now {now.cpu_percent:.0f} %")
    st.altair_chart(memory, alt=f"Memory use, now {words.memory(now.memory_used_bytes)}")
    card_usage.history(samples, is_dark=is_dark)
    st.caption(_now(now))
    stale_figures()


def _now(sample: Sample) -> str:
    """`Now: processor 12 %, memory 3.1 GiB used, 68 GB of disk free`."""
    used, free = words.memory(sample.memory_used_bytes), words.disk(sample.disk_free_bytes)
    return f"Now: processor {sample.cpu_percent:.0f} %, memory {used} used, {free} of disk free."


def _cpu_percent(sample: Sample) -> float:
    return sample.cpu_percent


def _used_gib(sample: Sample) -> float:
    return sample.memory_used_bytes / 2**30
