"""Samples of the machine as charts; pure: what comes out depends on what goes in alone."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt

from lib.machine.sampler import Sample

# Altair asks whether it is loaded, and fails where another thread has loaded half of it.
importlib.import_module("pandas")

MOST_POINTS = 120  # more cost the browser time, and show nothing more
HEIGHT_PIXELS = 150


class Mark(NamedTuple):
    """What happened at a time."""

    at: float  # epoch seconds
    text: str


class Colours(NamedTuple):
    """Of one theme."""

    line: str
    text: str
    grid: str


LIGHT = Colours(line="#0f766e", text="#667069", grid="#e1e4e0")
DARK = Colours(line="#2dd4bf", text="#93a09b", grid="#2b3533")


def over_time(
    samples: Sequence[Sample],
    value: Callable[[Sample], float | None],
    *,
    title: str,
    top: float,
    is_dark: bool,
    marks: Sequence[Mark] = (),
    times: str = "%H:%M:%S",
) -> alt.LayerChart:
    """A figure of the samples as a line over an area, from 0 to `top`, with the time below.

    Where a sample has no such figure there is a gap. `marks` stand on the time axis.
    """
    figures = [(s.at * 1e3, value(s)) for s in thinned(samples)]
    points = [{"at": at, "value": None if v is None else round(v, 2)} for at, v in figures]
    colours = DARK if is_dark else LIGHT
    line = alt.OverlayMarkDef(color=colours.line, strokeWidth=1.5)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=points), height=HEIGHT_PIXELS)
        .mark_area(interpolate="monotone", color=colours.line, fillOpacity=0.14, line=line)
        .encode(
            x=alt.X("at:T", title=None, axis=_axis(colours, 4, times, labelSeparation=12)),
            y=alt.Y(
                "value:Q",
                title=title,
                scale=alt.Scale(domain=[0, top]),
                axis=_axis(colours, 4, "d"),
            ),
            tooltip=[
                alt.Tooltip("at:T", title="Time", format=times),
                alt.Tooltip("value:Q", title=title, format=".1f"),
            ],
        )
    )
    layers = [chart, *([_rules(marks, colours, times)] if marks else [])]
    found: alt.LayerChart = alt.LayerChart(layer=layers).configure_view(strokeWidth=0)
    return found


def _rules(marks: Sequence[Mark], colours: Colours, times: str) -> alt.Chart:
    """A thin line at each; what it was is told where it is pointed at."""
    values = [{"at": mark.at * 1e3, "text": mark.text} for mark in marks]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_rule(color=colours.text, strokeDash=[3, 3], strokeWidth=1.5)
        .encode(
            x=alt.X("at:T", title=None),
            tooltip=[
                alt.Tooltip("text:N", title="What"),
                alt.Tooltip("at:T", title="Time", format=times),
            ],
        )
    )
    return chart


def _axis(colours: Colours, ticks: int, format: str, **more: Any) -> alt.Axis:
    return alt.Axis(
        format=format,
        tickCount=ticks,
        titleColor=colours.text,
        labelColor=colours.text,
        gridColor=colours.grid,
        **more,
    )


def thinned(samples: Sequence[Sample], most: int = MOST_POINTS) -> list[Sample]:
    """At most so many of them at equal distances, the newest always among them."""
    step = -(-len(samples) // most) or 1
    return list(samples[::-1][::step][::-1])
