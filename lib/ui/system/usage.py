"""How busy the machine has been: charts with one time range for all of them."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st

from lib.core import activity, words
from lib.core.access import Action, may
from lib.core.activity import Kind
from lib.core.settings import settings
from lib.fleet import served
from lib.jobs import jobs
from lib.machine import disks, history
from lib.machine.sampler import SAMPLER, Sample, machine
from lib.sharing import limits
from lib.ui import charts, listing, markdown, panels
from lib.ui.cards import usage as card_usage
from lib.ui.charts import Bin, Frame, Line, Mark, Scale
from lib.ui.shell import stale_figures

HOUR, DAY = 3_600, 86_400
RANGES = {"5 min": 300, "1 hour": HOUR, "24 hours": DAY, "7 days": 7 * DAY}  # seconds
USUAL = "5 min"
SOON = "The first figures come in a few seconds."
LATER = "Berth has not run for long enough: a figure a minute is kept, for seven days."
MARKED = "▾ Starts, stops and deployments."
FEWEST_POINTS = 3
MOST_MARKS, MARKS_SECONDS = 40, 10
KINDS = (Kind.STARTED, Kind.STOPPED, Kind.FAILED)

_PROCESSOR = [Line("Busy", lambda s: s.cpu_percent)]
_MEMORY = [Line("Used", lambda s: s.memory_used_bytes / 2**30)]
_SWAP = Line("Swap", lambda s: None if s.swap_used_bytes is None else s.swap_used_bytes / 2**30)
_DISK = [
    Line("Read", lambda s: s.read_bytes_per_second),
    Line("Written", lambda s: s.written_bytes_per_second),
]
_NETWORK = [
    Line("Received", lambda s: s.received_bytes_per_second),
    Line("Sent", lambda s: s.sent_bytes_per_second),
]
_ROOM = [Line("Free", lambda s: s.disk_free_bytes)]


def section() -> None:
    """The choice of a time, and all charts of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Usage", width="content")
        chosen = st.segmented_control(
            "Time range",
            list(RANGES),
            default=USUAL,
            required=True,
            label_visibility="collapsed",
            key="system_range",
        )
    seconds = RANGES[chosen or USUAL]
    st.fragment(_drawn, run_every=refresh_seconds(seconds))(seconds)


def refresh_seconds(seconds: int) -> float:
    """How often charts of this time are drawn; in long ones little but the newest figures moves."""
    return 2.0 if seconds < HOUR else 10.0


def _drawn(seconds: int) -> None:
    now = time.time()
    samples, frame = seen(seconds, now), framed(seconds, now)
    bins = charts.binned(samples, frame)
    _charts(bins, SAMPLER.latest(), frame)
    st.caption(_below(len(bins), seconds, frame) or "&nbsp;")  # one line, whatever is said in it
    stale_figures()


def _below(points: int, seconds: int, frame: Frame) -> str:
    missing = "" if points >= FEWEST_POINTS else SOON if seconds <= HOUR else LATER
    return " ".join(filter(None, [MARKED if frame.marks else "", missing]))


def seen(seconds: int, now: float) -> list[Sample]:
    """The samples of the last so many seconds; of a long time what is kept, and the newest."""
    lately = SAMPLER.samples()
    if seconds <= HOUR:
        return [sample for sample in lately if now - seconds <= sample.at <= now]
    kept = history.read(seconds, now)
    after = kept[-1].at if kept else now - seconds
    newest = [sample for sample in lately if after < sample.at <= now]
    return [*kept, history.mean(newest)] if newest else kept


def framed(seconds: int, now: float) -> Frame:
    """The time that all charts show, and what happened in it."""
    times = "%H:%M:%S" if seconds < HOUR else "%H:%M" if seconds <= DAY else "%a %H:%M"
    is_dark = st.context.theme.type == "dark"
    return Frame(now - seconds, now, times, is_dark, _marks(now - seconds))


def _marks(since: float) -> list[Mark]:
    """Starts and stops of models, and deployments, for the owner."""
    if not may(Action.DEPLOY):
        return []
    found = _happened(settings().home, int(time.time() // MARKS_SECONDS))
    return [mark for mark in found if mark.at >= since]


@lru_cache(maxsize=1)
def _happened(_home: Path, _lately: int) -> list[Mark]:
    """Read again every few seconds, whoever looks: each job is a file."""
    found = [Mark(e.at, f"{e.subject} {e.kind}") for e in activity.recent(MOST_MARKS, KINDS)]
    return found + [Mark(job.created, job.title) for job in jobs.recent(limit=MOST_MARKS)]


def _charts(bins: Sequence[Bin], now: Sample, frame: Frame) -> None:
    processor, memory = st.columns(2)
    with processor:
        value = f"{now.cpu_percent:.0f} %"
        drawn = charts.over_time(bins, _PROCESSOR, charts.PERCENT, frame)
        panels.panel("Processor", panels.value(value), drawn, "Processor use")
    with memory:
        _memory(bins, now, frame)
    with panels.more() as is_open:
        if is_open:
            card_usage.history(bins, frame)
            _disk_and_network(bins, now, frame)
            _room_and_speed(bins, now, frame)


def _memory(bins: Sequence[Bin], now: Sample, frame: Frame) -> None:
    total, swapped = machine().memory_bytes, now.swap_used_bytes
    used, lines = words.memory(now.memory_used_bytes), _MEMORY
    text = panels.value(f"{used} of {words.memory(total)}")
    if swapped or any(sample.swap_used_bytes for one in bins for sample in one.samples):
        text = panels.legend([("used", used), ("swap", words.memory(swapped or 0))])
        lines = [*_MEMORY, _SWAP]
    drawn = charts.over_time(bins, lines, Scale("GiB", top=total / 2**30), frame)
    panels.panel("Memory", text, drawn, "Memory use")


def _disk_and_network(bins: Sequence[Bin], now: Sample, frame: Frame) -> None:
    disk, network = st.columns(2)
    with disk:
        read, written = now.read_bytes_per_second, now.written_bytes_per_second
        text = panels.legend([("read", panels.rate(read)), ("written", panels.rate(written))])
        panels.panel(
            "Disks", text, charts.over_time(bins, _DISK, charts.DISK, frame), "Read and written"
        )
    with network:
        received, sent = now.received_bytes_per_second, now.sent_bytes_per_second
        text = panels.legend([("received", panels.rate(received)), ("sent", panels.rate(sent))])
        panels.panel(
            "Network",
            text,
            charts.over_time(bins, _NETWORK, charts.NETWORK, frame),
            "Received and sent",
        )


def _room_and_speed(bins: Sequence[Bin], now: Sample, frame: Frame) -> None:
    room, speed = st.columns(2)
    with room:
        free, total = now.disk_free_bytes, disks.models_disk_bytes()
        text = panels.value(f"{words.disk(free)} free for models")
        scale = Scale("B", top=total or None)
        panels.panel(
            "Disk room", text, charts.over_time(bins, _ROOM, scale, frame), "Free disk space"
        )
    with speed:
        _speed(frame)


def _speed(frame: Frame) -> None:
    """What replies were written at; of a model the newest is told beside its colour."""
    found = [one for one in _speeds(frame) if one[0] >= frame.since]
    last = {name: f"{speed:.1f} tok/s" for _, name, speed in found}
    text = f"last {last[found[-1][1]]}" if found else "no reply in this time"
    legend = panels.legend([(markdown.plain(name), speed) for name, speed in sorted(last.items())])
    drawn = charts.by_name(found, charts.SPEED, frame)
    panels.panel("Writing speed", panels.value(text), drawn, "Tokens a second of replies", legend)


def _speeds(frame: Frame) -> list[tuple[float, str, float]]:
    """Of all models; for guests of those that they may use."""
    found = served.speeds(frame.seconds, frame.until)
    if may(Action.CONFIGURE):
        return found
    theirs = {model.name for model in limits.usable(listing.models())}
    return [one for one in found if one[1] in theirs]
