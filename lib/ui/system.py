"""The system page's parts: the machine, its engines, and how busy it has been."""

import time
from functools import partial

import streamlit as st

from lib.core import activity, words
from lib.core.access import Action, may
from lib.core.activity import Kind
from lib.engines import all_engines, present_engines
from lib.engines.base import Engine, Health
from lib.jobs import jobs
from lib.machine import history
from lib.machine.sampler import SAMPLER, Sample, machine
from lib.ui import charts, markdown
from lib.ui.cards import lines
from lib.ui.cards import usage as card_usage
from lib.ui.shell import stale_figures

REFRESH_SECONDS, HISTORY_SECONDS = 2.0, 60.0
SOON = "The first figures come in a few seconds."
LATER = "Berth has not run for long enough: a figure a minute is kept, for seven days."
MARKED = " Dashed lines: starts, stops and deployments."
RANGES = {"5 min": 300, "1 hour": 3_600, "24 hours": 86_400, "7 days": 7 * 86_400}  # seconds
FEWEST_POINTS = 3
HOUR, DAY = 3_600, 86_400
MOST_MARKS = 40


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


def _charts(seconds: int) -> None:
    """What moves every two seconds in the last hour, once a minute in what is longer."""
    every = REFRESH_SECONDS if seconds <= HOUR else HISTORY_SECONDS
    st.fragment(_drawn, run_every=every)(seconds)


def _drawn(seconds: int) -> None:
    since = time.time() - seconds
    if seconds <= HOUR:
        samples = [sample for sample in SAMPLER.samples() if sample.at >= since]
    else:
        samples = history.read(seconds)
    if len(samples) < FEWEST_POINTS:
        st.caption(SOON if seconds <= HOUR else LATER)
        return
    is_dark, total = st.context.theme.type == "dark", machine().memory_bytes / 2**30
    times = "%H:%M:%S" if seconds <= HOUR else "%H:%M" if seconds <= DAY else "%a %H:%M"
    marks = _marks(max(since, samples[0].at))
    draw = partial(charts.over_time, samples, is_dark=is_dark, marks=marks, times=times)
    processor = draw(_cpu_percent, title="Processor, %", top=100)
    memory = draw(_used_gib, title="Memory, GiB", top=total)
    now = samples[-1]
    st.altair_chart(processor, alt=f"Processor use, now {now.cpu_percent:.0f} %")
    st.altair_chart(memory, alt=f"Memory use, now {words.memory(now.memory_used_bytes)}")
    card_usage.history(samples, is_dark=is_dark, times=times)
    st.caption(_now(SAMPLER.latest()) + (MARKED if marks else ""))
    stale_figures()


def _marks(since: float) -> list[charts.Mark]:
    """Starts and stops of models, and deployments, for the owner."""
    if not may(Action.DEPLOY):
        return []
    kinds = (Kind.STARTED, Kind.STOPPED, Kind.FAILED)
    events = activity.recent(MOST_MARKS, kinds)
    found = [charts.Mark(e.at, f"{e.subject} {e.kind}") for e in events]
    found += [charts.Mark(job.created, job.title) for job in jobs.recent(limit=MOST_MARKS)]
    return [mark for mark in found if mark.at >= since]


def _now(sample: Sample) -> str:
    """`Now: processor 12 %, memory 3.1 GiB used, 68 GB of disk free`."""
    used, free = words.memory(sample.memory_used_bytes), words.disk(sample.disk_free_bytes)
    return f"Now: processor {sample.cpu_percent:.0f} %, memory {used} used, {free} of disk free."


def _cpu_percent(sample: Sample) -> float:
    return sample.cpu_percent


def _used_gib(sample: Sample) -> float:
    return sample.memory_used_bytes / 2**30
