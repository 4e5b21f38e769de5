"""Charts are made of their samples alone, and of few of them."""

import pytest

from lib.machine.sampler import Sample
from lib.ui.charts import (
    DARK,
    LIGHT,
    MOST_POINTS,
    Mark,
    over_time,
    thinned,
)


def samples(count: int) -> list[Sample]:
    return [
        Sample(
            at=1_000.0 + 2 * number,
            cpu_percent=number % 100,
            memory_used_bytes=number,
            memory_available_bytes=0,
            disk_free_bytes=0,
            received_bytes_per_second=0,
            sent_bytes_per_second=0,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 119, 120, 121, 240, 1_800])
def test_no_chart_has_more_points_than_the_browser_draws_easily(count: int) -> None:
    kept = thinned(samples(count))
    assert len(kept) <= MOST_POINTS
    assert len(kept) >= min(count, MOST_POINTS // 2)
    assert kept[-1:] == samples(count)[-1:]
    assert kept == sorted(kept, key=lambda sample: sample.at)


@pytest.mark.parametrize(("is_dark", "colours"), [(True, DARK), (False, LIGHT)])
def test_a_chart_shows_its_values_in_the_colours_of_the_theme(
    is_dark: bool, colours: tuple[str, ...]
) -> None:
    chart = over_time(samples(3), lambda s: s.cpu_percent, title="CPU", top=100, is_dark=is_dark)
    spec = chart.to_dict()
    [points] = spec["datasets"].values()
    assert [point["value"] for point in points] == [0, 1, 2]
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == [0, 100]
    assert all(colour in str(spec) for colour in colours)


def test_a_chart_has_a_gap_where_a_figure_is_not_known() -> None:
    figures = iter([1.0, None, 3.0])
    chart = over_time(samples(3), lambda _: next(figures), title="Use", top=100, is_dark=False)
    [points] = chart.to_dict()["datasets"].values()
    assert [point["value"] for point in points] == [1.0, None, 3.0]


def test_what_happened_stands_on_the_time_axis_in_words() -> None:
    marks = [Mark(1.0, "tiny started"), Mark(2.0, "Deploy it")]
    chart = over_time(
        samples(3), lambda s: 1.0, title="CPU", top=100, is_dark=False, marks=marks, times="%H:%M"
    )
    spec = chart.to_dict()
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["area", "rule"]
    drawn = [point for points in spec["datasets"].values() for point in points if "text" in point]
    assert drawn == [{"at": 1_000.0, "text": "tiny started"}, {"at": 2_000.0, "text": "Deploy it"}]
    assert "%H:%M:%S" not in str(spec)
