"""Graphics cards on the System page and in the sidebar of every page, in each kind of machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from lib.core import access
from lib.core.settings import settings
from lib.machine import cards as graphics
from lib.machine.cards import Reader
from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.cards import WORLDS, CardWorld, in_world, living_in
from tests.support.fake_engine import running_fake
from tests.support.waiting import until

PAGES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py"))]
SYSTEM = PAGES[4]
SECONDS = 30
GIB = 2**30
TROUBLED = ("mismatch", "not-loaded", "no-permission")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[CardWorld]:
    with living_in(request.param) as found:
        yield found


def opened(path: Path = SYSTEM, role: str = "") -> AppTest:
    page = AppTest.from_file(path, default_timeout=SECONDS)
    if role:
        page.user = {"role": role, "who": "a" * 32}
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    """All text of the page, as it reads: without the marks that keep names from being Markdown."""
    every = (page.main.markdown, page.main.caption, page.main.error, page.main.header)
    texts = [str(element.value) for elements in every for element in elements]
    texts += [str(part.proto.body) for part in page.main.get("html")]
    return " ".join(texts).replace("\\", "")


def bars(page: AppTest) -> list[str]:
    return [str(bar.proto.text) for bar in page.main.get("progress")]


def sidebar(page: AppTest) -> list[str]:
    [status] = [c.value for c in page.sidebar.caption if "●" in c.value or "○" in c.value]
    return [line.replace("\\", "") for line in str(status).split("  \n")]


# --- every machine ---


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_the_system_page_has_cards_where_there_is_a_driver(
    world: CardWorld, request: pytest.FixtureRequest
) -> None:
    page = opened()
    has_driver = request.node.callspec.params["world"] != "no-driver"
    assert ("Graphics cards" in [heading.value for heading in page.header]) == has_driver
    assert "None" not in shown(page)
    assert bool(page.main.error) == (
        request.node.callspec.params["world"] in (*TROUBLED, "lost-card")
    )


@in_world("no-driver")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_machine_without_nvidia_says_nothing_of_it(world: CardWorld, path: Path) -> None:
    page = opened(path)
    everything = " ".join([shown(page), *sidebar(page)])
    everything = everything.replace(str(settings().home), "").lower()  # it has this test's name
    assert "nvidia" not in everything
    assert "gpu" not in everything
    assert len(sidebar(page)) == 2  # the engines


# --- the sidebar ---


@in_world("two-cards")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_page_has_a_line_for_each_card(world: CardWorld, path: Path) -> None:
    lines = sidebar(opened(path))
    assert lines[:2] == ["● A100 41/80 GiB · 93 %", "● RTX 3060 0.9/12 GiB · 4 %"]


@in_world("eight-cards")
def test_cards_of_one_name_have_numbers_in_the_sidebar(world: CardWorld) -> None:
    lines = sidebar(opened())[:8]
    assert lines[0] == "● 0: H100 69/80 GiB · 99 %"
    assert lines[7] == "● 7: H100 0.5/80 GiB · 0 %"


@in_world("lost-card")
def test_a_lost_card_is_named_in_the_sidebar(world: CardWorld) -> None:
    assert sidebar(opened())[1] == "○ GPU 1 does not answer"


@in_world("mig")
def test_a_card_that_does_not_tell_its_use_has_its_memory_in_the_sidebar(world: CardWorld) -> None:
    assert sidebar(opened())[0] == "● A100 10/40 GiB"


@in_world("one-card")
@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000…"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti S…"),
        ("Tesla V100-SXM2-32GB", "Tesla V100"),
        ("NVIDIA H100 NVL", "H100 NVL"),
        ("*_[odd]($name)", "*_[odd]($name)"),
    ],
)
def test_a_line_in_the_sidebar_is_short(world: CardWorld, name: str, brief: str) -> None:
    world.card(0, nvmlDeviceGetName=name)
    line = sidebar(opened())[0]
    assert line == f"● {brief} 18/24 GiB · 87 %"
    assert len(line) <= 36


@pytest.mark.parametrize("world", TROUBLED, indirect=True)
def test_the_sidebar_points_to_a_driver_in_trouble(world: CardWorld) -> None:
    assert sidebar(opened())[0] == "○ NVIDIA driver: see System"


# --- the card view ---


@in_world("one-card")
def test_a_card_is_shown_with_all_that_it_tells(world: CardWorld) -> None:
    page = opened()
    text = shown(page)
    assert "NVIDIA GeForce RTX 4090" in text  # among what the machine is
    assert "Driver 580.95.05 · CUDA 13.0" in text
    assert "87 % busy · 64 °C · 310 of 450 W · compute capability 8.9" in text
    assert "18.2 of 24.0 GiB used, 5.8 GiB free (431 MiB reserved)" in bars(page)


@in_world("eight-cards")
def test_equal_cards_are_counted_among_what_the_machine_is(world: CardWorld) -> None:
    page = opened()
    assert "8 × NVIDIA H100 80GB HBM3" in shown(page)
    assert len(bars(page)) == 8


@pytest.mark.parametrize("world", TROUBLED, indirect=True)
def test_a_driver_in_trouble_is_told_once_with_what_to_do(world: CardWorld) -> None:
    seen = graphics.cards()
    [box] = opened().main.error
    assert box.value.replace("\\", "") == f"**{seen.problem}** {seen.fix}"


@in_world("mig")
def test_a_divided_card_is_called_so(world: CardWorld) -> None:
    text = shown(opened())
    assert "Divided (MIG)" in text
    assert "Divided into 2 × 3g.20gb" in text
    assert "busy" not in text


@in_world("unified")
def test_shared_memory_is_called_so(world: CardWorld) -> None:
    page = opened()
    assert "Shares the machine's memory" in shown(page)
    assert "14 W" in shown(page)


@in_world("one-card")
def test_a_card_that_tells_nothing_is_shown_with_its_place(world: CardWorld) -> None:
    world.become({"cards": [{"*": {"error": "UNKNOWN"}}]})
    page = opened()
    assert "**GPU 0**" in shown(page)
    assert "It does not tell how full it is." in shown(page)


@in_world("no-driver")
def test_cards_whose_library_is_missing_are_named(
    world: CardWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t NVIDIA L4\n")
    monkeypatch.setattr(graphics, "READER", Reader(tmp_path))
    page = opened()
    assert "library libnvidia-ml.so.1 is missing" in shown(page)
    assert "NVIDIA L4" in shown(page)


@in_world("two-cards")
def test_old_figures_of_a_driver_that_hangs_are_shown_with_their_age(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphics.cards()
    monkeypatch.setattr(graphics, "LATE_SECONDS", 0.0)
    world.card(0, nvmlDeviceGetPowerUsage={"hangs": True})
    try:
        page = opened()
        assert "has not answered for" in shown(page)
        assert "Below is what it said just now." in shown(page)
        assert len(bars(page)) == 2
    finally:
        world.card(0, nvmlDeviceGetPowerUsage=1)
    until(lambda: not graphics.cards().problem)


# --- who uses it ---


@in_world("one-card")
def test_processes_are_shown_by_model_or_by_name_the_greatest_first(
    world: CardWorld, home: Path
) -> None:
    me = psutil.Process()
    with running_fake() as fake:
        lay_fake(home, fake)
        world.runs(0, [(me.pid, GIB), (fake.process.pid, 3 * GIB)])
        text = shown(opened())
    foreign = (
        f"{me.name()} · 1.0 GiB · :small[:gray[not Berth's, user {me.username()}, pid {me.pid}]]"
    )
    assert f"**fake** · 3.0 GiB  \n{foreign}" in text


@in_world("one-card")
def test_of_many_processes_the_smallest_are_summed_up(world: CardWorld) -> None:
    world.runs(0, [(4_194_000 + number, number * GIB) for number in range(1, 10)])
    text = shown(opened())
    assert "A program outside this system · 9.0 GiB" in text
    assert "and 3 more, 6.0 GiB" in text


@in_world("wsl")
def test_a_process_whose_memory_is_not_told_is_shown_all_the_same(world: CardWorld) -> None:
    world.runs(0, [(os.getpid(), None)])
    assert f"{psutil.Process().name()} · memory not told" in shown(opened())


@in_world("one-card")
def test_memory_that_nobody_seems_to_hold_is_worth_a_word(world: CardWorld) -> None:
    assert "does not tell which programs hold its memory" in shown(opened())
    world.card(
        0, nvmlDeviceGetMemoryInfo_v2={"total": 9 * GIB, "reserved": 0, "used": 9, "free": 0}
    )
    assert "does not tell which programs" not in shown(opened())


@in_world("one-card")
def test_guests_see_the_card_and_not_who_uses_it(
    world: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.runs(0, [(os.getpid(), GIB)])
    monkeypatch.setattr(access, "_process", None)
    whose = f"pid {os.getpid()}"
    assert whose in shown(opened(role="owner"))
    page = opened(role="guest")
    assert whose not in shown(page)
    assert "87 % busy" in shown(page)
