"""Figures over time as charts; pure: what comes out depends on what goes in alone.

A chart is a Vega-Lite specification that stays the same from draw to draw, and the figures beside
it as Arrow tables: so the browser changes the line, and builds nothing anew. The left edges of all
charts are in one place, and so is a moment.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from lib.core import words
from lib.machine.sampler import Sample

MOST_POINTS = 120  # more cost the browser time, and show nothing more
HEIGHT_PIXELS = 150
LABELS_PIXELS = 64  # for the longest label of a vertical axis
GAP_POINTS, GAP_SECONDS = 3, 150  # a longer silence is a gap in the line

Unit = Literal["%", "GiB", "B/s", "B", "tok/s"]


class Mark(NamedTuple):
    """What happened at a time."""

    at: float  # epoch seconds
    text: str


class Colours(NamedTuple):
    """Of one theme; lines in the order in which they are drawn."""

    lines: tuple[str, ...]
    text: str
    grid: str


LIGHT = Colours(("#0f766e", "#1d6fb8", "#b45309", "#7c3aed"), text="#667069", grid="#e1e4e0")
DARK = Colours(("#2dd4bf", "#7cc4ff", "#fbbf24", "#c4b5fd"), text="#93a09b", grid="#2b3533")


class Frame(NamedTuple):
    """What all charts of a page have in common."""

    since: float  # epoch seconds
    until: float
    times: str  # of the horizontal axis, by d3-time-format
    is_dark: bool
    marks: Sequence[Mark] = ()

    @property
    def seconds(self) -> float:
        """From end to end."""
        return self.until - self.since

    @property
    def colours(self) -> Colours:
        """Of the theme."""
        return DARK if self.is_dark else LIGHT


class Bin(NamedTuple):
    """The samples of one point of a chart; none for a gap in the line."""

    at: float  # epoch seconds of the last of them
    samples: Sequence[Sample]


class Line(NamedTuple):
    """One figure of the samples."""

    title: str
    value: Callable[[Sample], float | None]


class Scale(NamedTuple):
    """What the vertical axis says."""

    unit: Unit
    top: float | None = None  # None: as much as is reached
    least_top: float = 0.0  # and no less than this, lest noise looks like much


PERCENT = Scale("%", top=100)
NETWORK = Scale("B/s", least_top=100e3)
DISK = Scale("B/s", least_top=1e6)
SPEED = Scale("tok/s", least_top=10)

_LABELS = {  # Vega expressions; the browser interprets them
    "%": "datum.label + ' %'",
    "GiB": "datum.label + ' GiB'",
    "tok/s": "datum.label + ' tok/s'",
    "B": "datum.value >= 1e12 ? format(datum.value / 1e12, '.3~r') + ' TB'"
    " : datum.value >= 1e9 ? format(datum.value / 1e9, '.3~r') + ' GB'"
    " : datum.value >= 1e6 ? format(datum.value / 1e6, '.3~r') + ' MB'"
    " : datum.value > 0 ? format(datum.value / 1e3, '.3~r') + ' kB' : '0'",
}
_LABELS["B/s"] = _LABELS["B"].replace("B'", "B/s'")


def binned(samples: Sequence[Sample], frame: Frame) -> list[Bin]:
    """At most MOST_POINTS of them and the gaps between; what is in one stays in it.

    Their edges stand still while time goes on: only the newest point of a chart changes.
    """
    width = max(frame.seconds / MOST_POINTS, 1e-3)
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        if frame.since <= sample.at <= frame.until:
            found.setdefault(int(sample.at // width), []).append(sample)
    bins = [Bin(max(s.at for s in found[number]), found[number]) for number in sorted(found)]
    return list(_with_gaps(bins, max(GAP_POINTS * width, GAP_SECONDS)))


def _with_gaps(bins: Sequence[Bin], longest: float) -> Iterator[Bin]:
    for number, one in enumerate(bins):
        if number and one.at - bins[number - 1].at > longest:
            yield Bin((one.at + bins[number - 1].at) / 2, ())
        yield one


def over_time(
    bins: Sequence[Bin], lines: Sequence[Line], scale: Scale, frame: Frame
) -> dict[str, Any]:
    """One or two figures as lines, the first one over an area.

    Where nobody has told a figure there is a gap. What happened stands on the time axis.
    """
    told = [[_mean(one.samples, line.value) for one in bins] for line in lines]
    columns: dict[str, Any] = {"at": pa.array([one.at * 1e3 for one in bins], pa.float64())}
    for number, figures in enumerate(told):
        columns[f"value{number}"] = pa.array(figures, pa.float64())
        columns[f"text{number}"] = pa.array([_said(f, scale.unit) for f in figures], pa.string())
    numbers = range(len(lines))
    drawn = [_drawn(number, frame.colours.lines[number]) for number in reversed(numbers)]
    tips = [(f"text{number}", lines[number].title) for number in numbers]
    hover = _hover(tips, frame)
    return _chart([*drawn, hover], pa.table(columns), scale, frame)


def by_name(
    points: Sequence[tuple[float, str, float]], scale: Scale, frame: Frame
) -> dict[str, Any]:
    """Figures (time, name, figure) as points, those of a name joined and of one colour."""
    colours = colour_numbers([name for _, name, _ in points])
    columns = {
        "at": pa.array([at * 1e3 for at, _, _ in points], pa.float64()),
        "name": pa.array([name for _, name, _ in points], pa.string()),
        "value0": pa.array([value for _, _, value in points], pa.float64()),
        "text0": pa.array([_said(value, scale.unit) for _, _, value in points], pa.string()),
        "colour": pa.array(
            [frame.colours.lines[colours[name]] for _, name, _ in points], pa.string()
        ),
    }
    layer = {
        "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 36, "filled": True}},
        "encoding": {
            "x": _time(frame),
            "y": {"field": "value0", "type": "quantitative"},
            "color": {"field": "colour", "type": "nominal", "scale": None},
            "detail": {"field": "name", "type": "nominal"},
            "tooltip": _tooltip([("name", "Model"), ("text0", "Speed")], frame),
        },
    }
    return _chart([layer], pa.table(columns), scale, frame)


def colour_numbers(names: Sequence[str]) -> dict[str, int]:
    """Which of the lines' colours each name has, by the alphabet; beyond those, the last."""
    most = len(LIGHT.lines) - 1
    return {name: min(number, most) for number, name in enumerate(sorted({*names}))}


def _mean(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> float | None:
    known = [figure for sample in samples if (figure := value(sample)) is not None]
    return statistics.fmean(known) if known else None


def _said(figure: float | None, unit: Unit) -> str:
    """`24 %`, `3.1 GiB`, `1.2 MB/s`."""
    if figure is None:
        return "not known"
    if unit == "B/s":
        return f"{words.disk(figure)}/s"
    if unit == "GiB":
        return words.memory(figure * 2**30)
    if unit == "B":
        return words.disk(figure)
    return f"{figure:.0f} %" if unit == "%" else f"{figure:,.1f} {unit}"


def _chart(
    layers: Sequence[dict[str, Any]], points: pa.Table, scale: Scale, frame: Frame
) -> dict[str, Any]:
    """The specification, with the tables that Streamlit takes out of it."""
    marks = {
        "at": pa.array([mark.at * 1e3 for mark in frame.marks], pa.float64()),
        "text": pa.array([mark.text for mark in frame.marks], pa.string()),
    }
    edges = {
        "at": pa.array([frame.since * 1e3, frame.until * 1e3], pa.float64()),
        "value": pa.array([0.0, scale.top or scale.least_top], pa.float64()),
    }
    return {
        "height": HEIGHT_PIXELS,
        "data": {"name": "points"},
        "datasets": {"points": points, "marks": pa.table(marks), "edges": pa.table(edges)},
        "layer": [_edges(scale, frame), *(layers if points.num_rows else ()), *_happened(frame)],
        "config": {"view": {"stroke": None}},
    }


def _edges(scale: Scale, frame: Frame) -> dict[str, Any]:
    """Nothing that is seen: it holds the axes where they are, whatever was measured."""
    domain = {"domain": [0, scale.top]} if scale.top else {"domainMin": 0, "nice": True}
    return {
        "data": {"name": "edges"},
        "mark": {"type": "point", "opacity": 0, "tooltip": None},
        "encoding": {
            "x": _time(frame),
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": domain,
                "axis": _axis(
                    frame,
                    tickCount=3,
                    labelExpr=_LABELS[scale.unit],
                    minExtent=LABELS_PIXELS,
                    maxExtent=LABELS_PIXELS,
                ),
            },
        },
    }


def _time(frame: Frame) -> dict[str, Any]:
    axis = _axis(frame, tickCount=4, format=frame.times, labelSeparation=16, grid=False)
    return {
        "field": "at",
        "type": "temporal",
        "title": None,
        "scale": {"nice": False},
        "axis": axis | {"labelBound": True, "labelFlush": False},
    }


def _axis(frame: Frame, **more: Any) -> dict[str, Any]:
    colours = frame.colours
    shared = {"labelColor": colours.text, "gridColor": colours.grid, "domain": False}
    return {**shared, "ticks": False, "labelPadding": 6, **more}


def _drawn(number: int, colour: str) -> dict[str, Any]:
    """The first line stands over an area, so that two can be told apart without colour."""
    line = {"color": colour, "strokeWidth": 1.5}
    mark: dict[str, Any] = {"type": "line", "interpolate": "monotone", **line}
    if number == 0:
        mark |= {"type": "area", "fillOpacity": 0.14, "line": line}
    encoding = {
        "x": {"field": "at", "type": "temporal"},
        "y": {"field": f"value{number}", "type": "quantitative"},
    }
    return {"mark": mark, "encoding": encoding}


def _hover(tips: Sequence[tuple[str, str]], frame: Frame) -> dict[str, Any]:
    """A line at the moment that is pointed at, with its figures, wherever in the chart that is."""
    nearest = {
        "type": "point",
        "on": "pointerover",
        "nearest": True,
        "encodings": ["x"],
        "clear": "pointerout",
    }
    shown = {"condition": {"param": "moment", "empty": False, "value": 0.6}, "value": 0}
    return {
        "params": [{"name": "moment", "select": nearest}],
        "mark": {"type": "rule", "color": frame.colours.text},
        "encoding": {
            "x": {"field": "at", "type": "temporal"},
            "opacity": shown,
            "tooltip": _tooltip(tips, frame),
        },
    }


def _happened(frame: Frame) -> list[dict[str, Any]]:
    """A dashed line and a mark above it at each; what it was is told where it is pointed at."""
    if not frame.marks:
        return []
    x = {"field": "at", "type": "temporal"}
    colour = frame.colours.text
    rule = {"type": "rule", "color": colour, "strokeDash": [3, 3], "opacity": 0.7}
    point = {"type": "point", "shape": "triangle-down", "filled": True, "size": 60, "opacity": 1}
    return [
        {"data": {"name": "marks"}, "mark": rule, "encoding": {"x": x}},
        {
            "data": {"name": "marks"},
            "mark": {**point, "color": colour},
            "encoding": {"x": x, "y": {"value": 4}, "tooltip": _tooltip([("text", "What")], frame)},
        },
    ]


def _tooltip(fields: Sequence[tuple[str, str]], frame: Frame) -> list[dict[str, Any]]:
    time = {"field": "at", "type": "temporal", "title": "Time", "format": frame.times}
    return [time, *({"field": name, "type": "nominal", "title": title} for name, title in fields)]
