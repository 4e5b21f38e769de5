"""The System page: what the machine is, and how busy it was over a time that is chosen."""

import json
import math
import re
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from lib.core import access, activity, database
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines.base import Usage
from lib.engines.ollama import installed
from lib.fleet import served
from lib.machine import bandwidth, disks, history
from lib.machine.lately import Lately
from lib.machine.sampler import SAMPLER, Sample, machine
from lib.ui import panels
from lib.ui.system.usage import RANGES, refresh_seconds
from tests.conftest import ROOT
from tests.support import tiny_gguf

SECONDS = 30
PAGE = ROOT / "pages/4_System.py"
CHARTS = ["Processor use", "Memory use", "Read and written", "Received and sent"]


def opened(role: str = "", chosen: str = "") -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    if role:
        page.user = {"role": role, "who": "a" * 32}
    page.run()
    if chosen:
        page.segmented_control(key="system_range").set_value(chosen).run()
    assert not page.exception
    return page


def facts(page: AppTest) -> str:
    return " ".join(str(part.proto.body) for part in page.get("html"))


def charts(page: AppTest) -> list[str]:
    return [str(chart.proto.alt) for chart in page.get("vega_lite_chart")]


def points(page: AppTest, alt: str, table: str = "points") -> list[dict[str, object]]:
    [chart] = [chart for chart in page.get("vega_lite_chart") if chart.proto.alt == alt]
    [data] = [one.data.data for one in chart.proto.datasets if one.name == table]
    found: list[dict[str, object]] = pa.ipc.open_stream(data).read_all().to_pylist()
    return found


def headings(page: AppTest) -> str:
    return " ".join(str(text.value) for text in page.markdown).replace("\\", "")


def sample(at: float, **more: float) -> Sample:
    told = {"cpu_percent": 20.0, "received_bytes_per_second": 1e6, "sent_bytes_per_second": 2e3}
    counts = {"memory_used_bytes": 2**30, "memory_available_bytes": 2**31, "disk_free_bytes": 10**9}
    return Sample.model_validate({"at": at, **told, **counts, **more})


def kept(*samples: Sample) -> None:
    for one in samples:
        history._keep(one)


@pytest.fixture(autouse=True)
def _a_busy_machine_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "FIRST_SECONDS", 30.0)


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process itself is nobody: the page asks who visits."""
    monkeypatch.setattr(access, "_process", None)


# --- what the machine is ---


def test_the_machine_is_told_with_its_instruction_sets_memory_disks_and_network() -> None:
    told = facts(opened())
    here = machine()
    assert here.os in told and here.cpu in told
    assert ", ".join(here.instructions) in told
    for name in ("System", "Processor", "Memory", "Disk", "Network"):
        assert f"<dt>{name}</dt>" in told
    assert "holds models and Berth&#x27;s records" in told


@pytest.mark.usefixtures("guests")
def test_guests_see_neither_disks_nor_addresses() -> None:
    told = facts(opened("guest"))
    assert "<dt>Processor</dt>" in told and "<dt>Memory</dt>" in told
    assert "<dt>Disk</dt>" not in told and "<dt>Network</dt>" not in told
    assert "<dt>Disk</dt>" in facts(opened("owner"))


def test_what_others_named_is_shown_letter_for_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = machine().model_copy(update={"cpu": "<img src=x onerror=alert(1)> & Co"})
    monkeypatch.setattr("lib.ui.system.about.machine", lambda: odd)
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; Co" in facts(opened())


def test_a_disk_that_answers_nothing_delays_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    hanging = Lately(lambda: [*filter(None, [answers.wait(60)])] and [], 15.0)
    monkeypatch.setattr(disks, "_SEEN", hanging)
    monkeypatch.setattr(disks, "FIRST_SECONDS", 0.05)
    assert "It is being looked at." in facts(opened())
    answers.set()


# --- how busy it was ---


def test_before_anything_is_known_the_charts_have_their_places() -> None:
    page = opened()
    assert charts(page)[:4] == CHARTS
    assert points(page, "Processor use") == []
    assert any("in a few seconds" in caption.value for caption in page.caption)
    assert "no reply in this time" in headings(page)


def test_one_time_range_holds_for_all_charts(home: Path) -> None:
    now = time.time()
    kept(*(sample(now - 60 * minute) for minute in range(1, 30)))
    page = opened(chosen="24 hours")
    ends = [
        [row["at"] for row in points(page, alt, "edges")]
        for alt in [*CHARTS, "Free disk space", "Tokens a second of replies"]
    ]
    assert all(end == ends[0] for end in ends)
    assert ends[0][1] - ends[0][0] == 86_400_000  # type: ignore[operator]
    assert len(points(page, "Processor use")) >= 2


def test_the_newest_quarter_of_an_hour_of_a_week_is_not_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    kept(*(sample(now - 86_400 + 60 * minute) for minute in range(30)))
    monkeypatch.setattr(SAMPLER, "samples", lambda: [sample(now - 5, cpu_percent=90.0)])
    page = opened(chosen="7 days")
    assert points(page, "Processor use")[-1]["text0"] == "90 %"


def test_swap_is_a_line_where_it_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(SAMPLER, "samples", lambda: [sample(now - 5, swap_used_bytes=2**30)])
    assert points(opened(), "Memory use")[0]["text1"] == "1.0 GiB"
    monkeypatch.setattr(SAMPLER, "samples", lambda: [sample(now - 5, swap_used_bytes=0)])
    assert "text1" not in points(opened(), "Memory use")[0]


def test_a_history_of_an_older_berth_has_gaps_where_it_has_no_figures(home: Path) -> None:
    old = history.SCHEMA
    with database.opened(old) as rows:
        for minute in range(1, 40):
            row = (60, time.time() - 60 * minute, 30.0, 1, 2, 7, 1.0, 2.0, "[]")
            rows.execute("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    page = opened(chosen="24 hours")
    assert {row["text0"] for row in points(page, "Read and written")} == {"not known"}
    assert {row["text0"] for row in points(page, "Processor use")} == {"30 %"}


@pytest.mark.parametrize("samples", [1, 30])
def test_starts_and_stops_stand_on_every_chart_for_the_owner(
    home: Path, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    now = time.time()
    lately = [sample(now - 5 * back, cpu_percent=20.0) for back in range(samples, 0, -1)]
    monkeypatch.setattr(SAMPLER, "samples", lambda: lately)
    with acting(Role.OWNER):
        activity.note(Kind.STARTED, "tiny")
    page = opened()
    for alt in charts(page):
        assert [row["text"] for row in points(page, alt, "marks")] == ["tiny started"]
    assert any("Starts, stops and deployments" in caption.value for caption in page.caption)


@pytest.mark.usefixtures("guests")
def test_guests_see_no_marks(home: Path) -> None:
    with acting(Role.OWNER):
        activity.note(Kind.STARTED, "tiny")
    assert points(opened("guest"), "Processor use", "marks") == []


def test_replies_are_points_with_their_model(home: Path) -> None:
    served.note("llamacpp", "tiny_1", Usage(completion_tokens=20, tokens_per_second=12.5), who="")
    served.settle()
    page = opened(chosen="1 hour")
    [point] = points(page, "Tokens a second of replies")
    assert (point["name"], point["text0"]) == ("tiny_1", "12.5 tok/s")
    assert "tiny_1 12.5 tok/s" in headings(page)


@pytest.mark.usefixtures("guests")
def test_guests_see_speeds_and_examples_of_their_models_alone(home: Path) -> None:
    for name in ("theirs", "mine"):
        tiny_gguf.write_tiny(settings().models / f"{name}.gguf")
        served.note("llamacpp", name, Usage(completion_tokens=9, tokens_per_second=7.0), who="")
    served.settle()
    bandwidth.has_reached(12e9)
    with acting(Role.OWNER):
        change(guests={"models": ["llamacpp/theirs"], "may_load": True})
    told = points(opened("guest", "1 hour"), "Tokens a second of replies")
    assert {row["name"] for row in told} == {"theirs"}
    assert "a 4.9 GB model writes" in facts(opened("guest"))
    told = points(opened("owner", "1 hour"), "Tokens a second of replies")
    assert {row["name"] for row in told} == {"theirs", "mine"}
    assert re.search(r"(mine|theirs) \(\S+ kB\) writes", facts(opened("owner")))


def test_a_phone_has_all_but_the_first_two_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "is_phone", lambda: True)
    page = opened()
    assert charts(page) == CHARTS[:2]
    assert [fold.label for fold in page.expander if fold.label == panels.MORE] == [panels.MORE]


@pytest.mark.parametrize(("range_", "seconds"), [("5 min", 2), ("1 hour", 10), ("7 days", 10)])
def test_charts_of_long_times_are_drawn_less_often(range_: str, seconds: float) -> None:
    assert refresh_seconds(RANGES[range_]) == seconds


def test_a_damaged_history_is_kept_aside_and_the_page_goes_on(home: Path) -> None:
    kept(sample(time.time() - 120))
    database.path().write_bytes(b"nonsense" * 500)
    page = opened(chosen="24 hours")
    assert points(page, "Processor use") == []
    assert (home / "berth.broken-1.db").exists()


# --- services ---


def test_each_service_has_its_state_in_a_word_and_why_not() -> None:
    said = headings(opened())
    assert "**Built-in engine**" in said
    assert "**Ollama**" in said  # OLLAMA_HOST names one
    captions = " ".join(caption.value for caption in opened().caption).replace("\\", "")
    assert "Ollama does not run. Open the Ollama app" in captions


def test_the_sidebar_names_an_engine_that_is_not_up_in_a_word() -> None:
    lines = " ".join(str(caption.value) for caption in opened().sidebar.caption)
    assert "● Built-in engine" in lines
    assert "○ Ollama · stopped" in lines


def test_an_ollama_that_nobody_has_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "is_expected", lambda: False)
    said = headings(opened())
    assert "**Built-in engine**" in said and "**Ollama**" not in said


def figures(page: AppTest) -> list[float]:
    """Every number in every table of every chart."""
    tables = [
        pa.ipc.open_stream(one.data.data).read_all()
        for chart in page.get("vega_lite_chart")
        for one in chart.proto.datasets
    ]
    rows = [row for table in tables for row in table.to_pylist()]
    return [value for row in rows for value in row.values() if isinstance(value, float)]


def test_what_nobody_measured_is_a_gap_and_no_figure_of_a_chart_is_not_a_number(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    seen = [sample(now - 200, swap_used_bytes=0), sample(now - 190), sample(now - 5)]
    monkeypatch.setattr(SAMPLER, "samples", lambda: seen)
    for speed in (0.0, math.nan, math.inf, 12.5):
        served.note("llamacpp", "tiny", Usage(completion_tokens=9, tokens_per_second=speed), "")
    served.settle()
    page = opened(chosen="5 min")
    drawn = points(page, "Processor use")
    assert [row["value0"] is None for row in drawn].count(True) == 1  # between two looks far apart
    assert {row["value0"] for row in points(page, "Read and written")} == {None}
    found = figures(page)
    assert 12.5 in found
    assert all(map(math.isfinite, found))
    for chart in page.get("vega_lite_chart"):
        json.loads(str(chart.proto.spec), parse_constant=pytest.fail)
