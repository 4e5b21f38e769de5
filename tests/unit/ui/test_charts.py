"""Charts are made of what goes in alone, of few points, and stay the same from draw to draw."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.machine.sampler import Sample
from lib.ui.charts import (
    DARK,
    GAP_SECONDS,
    LIGHT,
    MOST_POINTS,
    NETWORK,
    PERCENT,
    SPEED,
    Bin,
    Frame,
    Line,
    Mark,
    binned,
    by_name,
    colour_numbers,
    over_time,
)

CPU = [Line("Busy", lambda s: s.cpu_percent)]
TRAFFIC = [
    Line("Received", lambda s: s.received_bytes_per_second),
    Line("Sent", lambda s: s.read_bytes_per_second),
]
BEGIN = 1_700_000_000.0


def sample(at: float, cpu: float = 10.0, received: float = 1_234_567.0) -> Sample:
    return Sample(
        at=at,
        cpu_percent=cpu,
        memory_used_bytes=0,
        memory_available_bytes=0,
        disk_free_bytes=0,
        received_bytes_per_second=received,
        sent_bytes_per_second=0,
    )


def frame(seconds: float = 300, begin: float = BEGIN, **more: Any) -> Frame:
    return Frame(begin, begin + seconds, "%H:%M", **{"is_dark": False, **more})


def every(step: float, seconds: float, begin: float = BEGIN) -> list[Sample]:
    return [sample(begin + n * step, cpu=n % 100) for n in range(int(seconds / step))]


def rows(drawn: dict[str, Any], name: str = "points") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drawn["datasets"][name].to_pylist()
    return found


def spec(drawn: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in drawn.items() if key != "datasets"})


@pytest.mark.parametrize(("step", "seconds"), [(2, 300), (2, 3_600), (60, 86_400), (900, 604_800)])
def test_no_chart_has_more_points_than_the_browser_draws_easily(step: float, seconds: int) -> None:
    bins = binned(every(step, seconds), frame(seconds))
    assert MOST_POINTS // 2 <= len(bins) <= MOST_POINTS + 1
    assert [one.at for one in bins] == sorted(one.at for one in bins)
    assert all(one.samples for one in bins)


def test_what_is_outside_the_time_is_not_drawn_though_a_clock_was_set_back() -> None:
    samples = [sample(BEGIN + 500), sample(BEGIN - 1), sample(BEGIN + 20), sample(BEGIN + 10)]
    assert [one.at for one in binned(samples, frame())] == [BEGIN + 10, BEGIN + 20]


def test_only_the_newest_point_changes_while_time_goes_on() -> None:
    samples = every(2, 600)
    before = binned([s for s in samples if s.at <= BEGIN + 400], frame(300, BEGIN + 100))
    after = binned([s for s in samples if s.at <= BEGIN + 402], frame(300, BEGIN + 102))
    kept = [one.at for one in before if one.at >= after[1].at][:-1]
    assert len(kept) > 100
    assert [one.at for one in after[1 : len(kept) + 1]] == kept


def test_a_long_silence_is_a_gap_and_a_short_one_is_not() -> None:
    silence = GAP_SECONDS + 10
    samples = [*every(2, 20), *every(2, 20, BEGIN + 20 + GAP_SECONDS / 2)]
    assert all(one.samples for one in binned(samples, frame(900)))
    samples = [*every(2, 20), *every(2, 20, BEGIN + 20 + silence)]
    drawn = over_time(binned(samples, frame(600)), CPU, PERCENT, frame(600))
    assert [row["value0"] for row in rows(drawn)].count(None) == 1


@given(
    st.lists(
        st.tuples(st.floats(-400, 400), st.floats(0, 100)), max_size=60, unique_by=lambda x: x[0]
    )
)
def test_every_sample_of_the_time_is_in_one_bin(told: list[tuple[float, float]]) -> None:
    samples = [sample(BEGIN + at, cpu) for at, cpu in told]
    found = [one for bin_ in binned(samples, frame()) for one in bin_.samples]
    assert len(found) == sum(0 <= s.at - BEGIN <= 300 for s in samples)


@pytest.mark.parametrize(("is_dark", "colours"), [(True, DARK), (False, LIGHT)])
def test_a_chart_has_the_colours_of_the_theme(is_dark: bool, colours: Any) -> None:
    drawn = over_time([], TRAFFIC, NETWORK, frame(is_dark=is_dark))
    assert colours.text in spec(drawn)
    drawn = over_time([Bin(BEGIN, [sample(BEGIN)])], TRAFFIC, NETWORK, frame(is_dark=is_dark))
    assert all(colour in spec(drawn) for colour in (*colours.lines[:2], colours.text, colours.grid))


def test_the_specification_stays_the_same_whatever_was_measured() -> None:
    one = over_time([Bin(BEGIN, [sample(BEGIN, 3)])], CPU, PERCENT, frame())
    later = frame(begin=BEGIN + 100)
    other = over_time([Bin(BEGIN + 150, [sample(BEGIN + 150, 99)])], CPU, PERCENT, later)
    assert spec(one) == spec(other)


def test_all_charts_of_a_time_have_the_same_ends() -> None:
    for drawn in (over_time([], CPU, PERCENT, frame()), by_name([], SPEED, frame())):
        assert [row["at"] for row in rows(drawn, "edges")] == [BEGIN * 1e3, (BEGIN + 300) * 1e3]


def test_a_percentage_reaches_from_nothing_to_all() -> None:
    axis = over_time([], CPU, PERCENT, frame())["layer"][0]["encoding"]["y"]
    assert axis["scale"] == {"domain": [0, 100]}


def test_noise_does_not_look_like_much() -> None:
    drawn = over_time([], TRAFFIC, NETWORK, frame())
    assert [row["value"] for row in rows(drawn, "edges")] == [0, 100_000]


def test_figures_are_means_and_are_said_with_their_units() -> None:
    bins = [Bin(BEGIN, [sample(BEGIN, received=1e6), sample(BEGIN, received=2e6)])]
    [row] = rows(over_time(bins, TRAFFIC, NETWORK, frame()))
    assert (row["value0"], row["text0"]) == (1_500_000, "1.5 MB/s")
    assert (row["value1"], row["text1"]) == (None, "not known")
    [row] = rows(over_time(bins, CPU, PERCENT, frame()))
    assert row["text0"] == "10 %"


def test_what_happened_stands_on_the_time_axis_in_words() -> None:
    told = frame(marks=[Mark(BEGIN + 1, "tiny started"), Mark(BEGIN + 2, "Deploy it")])
    drawn = over_time([], CPU, PERCENT, told)
    assert [row["text"] for row in rows(drawn, "marks")] == ["tiny started", "Deploy it"]
    assert "triangle-down" in spec(drawn)
    assert "triangle-down" not in spec(over_time([], CPU, PERCENT, frame()))


def test_speeds_of_a_model_have_one_colour_and_its_name() -> None:
    points = [(BEGIN, "a", 3.0), (BEGIN + 1, "b", 4.0), (BEGIN + 2, "a", 5.0)]
    told = rows(by_name(points, SPEED, frame()))
    assert [(row["name"], row["text0"]) for row in told] == [
        ("a", "3.0 tok/s"),
        ("b", "4.0 tok/s"),
        ("a", "5.0 tok/s"),
    ]
    assert told[0]["colour"] == told[2]["colour"] != told[1]["colour"]


def test_more_models_than_colours_share_the_last() -> None:
    numbers = colour_numbers([*"abcdefa"])
    assert list(numbers.values()) == [0, 1, 2, 3, 3, 3]


def test_a_frame_knows_its_length() -> None:
    assert math.isclose(frame(300).seconds, 300)
