"""The same question to several models at once, on the chat page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from lib.machine.sampler import memory_available_bytes
from tests.e2e.conftest import PHONE, PICTURES
from tests.support.berth import lay_fake, running_berth
from tests.support.browser import reload
from tests.support.fake_engine import Running, running_fake
from tests.support.fake_ollama import RunningOllama, running_ollama
from tests.support.server import Server, running_server

Fakes = dict[str, Running]


@pytest.fixture(scope="module")
def pair() -> Iterator[Fakes]:
    slow = ("--gap-ms", "30", "--tokens", "60")
    with running_fake(*slow) as mistral, running_fake(*slow) as qwen:
        yield {"mistral": mistral, "qwen": qwen}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pair: Fakes) -> Iterator[Server]:
    """A Berth in which both run."""
    home = tmp_path_factory.mktemp("shared") / "berth"
    lay_both(home, pair)
    with running_server(home) as started:
        yield started


@pytest.fixture
def fakes(pair: Fakes) -> Fakes:
    """Both as they began."""
    return {name: fake.afresh() for name, fake in pair.items()}


@pytest.fixture
def berth(server: Server, fakes: Fakes) -> Server:
    assert fakes
    return server


def lay_both(home: Path, fakes: Fakes) -> None:
    for name, fake in fakes.items():
        lay_fake(home, fake, name)


def comparing(page: Page, server: Server) -> None:
    """The chat page with both models chosen."""
    page.goto(f"{server.url}/Chat")
    page.get_by_text("Compare", exact=True).click()
    expect(page.get_by_text("Ask several models the same")).to_be_visible()


def ask(page: Page, text: str = "Say something") -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def columns(page: Page, at: int = -1) -> Locator:
    """The columns of one round, the last unless told otherwise."""
    return page.locator("[class*='st-key-round-']").nth(at).get_by_test_id("stColumn")


def column(page: Page, model: str, at: int = -1) -> Locator:
    return columns(page, at).filter(has_text=model)


def are_over(page: Page, count: int) -> None:
    """So many answers have their figures, and the live copies have given way."""
    expect(page.get_by_text(re.compile("first token"))).to_have_count(count)
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)


def tokens(place: Locator) -> list[str]:
    return re.findall(r"\bt\d+\b", place.inner_text())


def pictures(page: Page, name: str) -> None:
    """What it looks like: wide and on a phone, light and dark."""
    PICTURES.mkdir(exist_ok=True)
    wide = page.viewport_size
    assert wide
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        for size in (wide, {"width": PHONE[0], "height": PHONE[1]}):
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            page.wait_for_timeout(300)
            page.screenshot(path=PICTURES / f"compare_{name}_{scheme}_{size['width']}.png")
    page.set_viewport_size(wide)
    page.emulate_media(color_scheme="light")


def test_both_stream_at_the_same_time_and_have_their_figures(page: Page, berth: Server) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    comparing(page, berth)
    pictures(page, "empty")
    ask(page)
    for model in ("mistral", "qwen"):
        expect(column(page, model).get_by_text("t5 ", exact=False)).to_be_visible()
    assert page.get_by_text(re.compile("first token")).count() == 0
    lanes = {lane for url in sockets for lane in re.findall(r"lane=(\d)", url)}
    assert lanes == {"0", "1", "2"}, "each column hears its own replies, and the chat its own"
    are_over(page, 2)
    for model in ("mistral", "qwen"):
        assert tokens(column(page, model)) == [f"t{n}" for n in range(60)]
        expect(column(page, model)).to_contain_text("60 tokens")
    left, right = (columns(page).nth(n).bounding_box() for n in (0, 1))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    pictures(page, "done")


def test_nothing_moves_when_the_finished_answers_take_the_place_of_the_live_ones(
    page: Page, berth: Server, fakes: Fakes
) -> None:
    fakes["mistral"].behave(tokens=20)
    comparing(page, berth)
    ask(page)
    word = column(page, "qwen").get_by_text("t3 ", exact=False).first
    expect(word).to_be_visible()
    before = columns(page).nth(1).bounding_box()
    expect(page.get_by_text(re.compile("first token"))).to_have_count(1)
    assert len(tokens(column(page, "mistral"))) == 20
    during = columns(page).nth(1).bounding_box()
    are_over(page, 2)
    after = columns(page).nth(1).bounding_box()
    assert before
    assert during
    assert after
    assert {(box["x"], box["width"]) for box in (before, during, after)} == {
        (before["x"], before["width"])
    }


def test_a_vote_is_kept_and_the_conversation_goes_on_from_it(
    page: Page, berth: Server, fakes: Fakes
) -> None:
    fakes["mistral"].behave(text="An answer from the south", gap_ms=1)
    fakes["qwen"].behave(text="An answer from the east", gap_ms=1)
    comparing(page, berth)
    ask(page, "Where from?")
    are_over(page, 2)
    expect(page.get_by_text("goes on from the answer of mistral")).to_be_visible()
    column(page, "qwen").get_by_role("button", name="Prefer this").click()
    expect(page.get_by_text("goes on from the answer of qwen")).to_be_visible()
    expect(column(page, "qwen").get_by_text("Preferred")).to_be_visible()
    expect(page.get_by_text("Preferred so far: qwen 1")).to_be_visible()
    ask(page, "And then?")
    are_over(page, 4)
    for fake in fakes.values():
        said = [message["content"] for message in fake.record()[-1]["body"]["messages"]]
        assert said == ["Where from?", "An answer from the east ", "And then?"]
    column(page, "mistral").get_by_role("button", name="Prefer this").last.click()
    expect(page.get_by_text("Preferred so far: qwen 1 · mistral 1")).to_be_visible()
    pictures(page, "voted")


def test_a_second_vote_takes_the_place_of_the_first(page: Page, berth: Server) -> None:
    comparing(page, berth)
    ask(page)
    are_over(page, 2)
    for model in ("qwen", "mistral"):
        column(page, model).get_by_role("button", name="Prefer this").click()
        expect(page.get_by_text(f"Preferred so far: {model} 1.")).to_be_visible()
    expect(page.get_by_role("button", name="Prefer this")).to_have_count(1)


def test_a_reload_keeps_the_columns_and_the_vote(page: Page, berth: Server) -> None:
    comparing(page, berth)
    ask(page)
    are_over(page, 2)
    column(page, "qwen").get_by_role("button", name="Prefer this").click()
    expect(page.get_by_text("Preferred so far: qwen 1")).to_be_visible()
    reload(page)
    expect(columns(page)).to_have_count(2)
    expect(page.get_by_text("Preferred so far: qwen 1")).to_be_visible()
    for model in ("mistral", "qwen"):
        assert tokens(column(page, model)) == [f"t{n}" for n in range(60)]
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    ask(page, "And now?")
    are_over(page, 4)
    expect(columns(page)).to_have_count(2)


def test_a_reload_in_the_middle_goes_on_in_every_column(
    page: Page, berth: Server, fakes: Fakes
) -> None:
    for fake in fakes.values():
        fake.behave(tokens=150)
    comparing(page, berth)
    ask(page)
    expect(column(page, "qwen").get_by_text("t10 ", exact=False)).to_be_visible()
    reload(page)
    are_over(page, 2)
    for model, fake in fakes.items():
        assert tokens(column(page, model)) == [f"t{n}" for n in range(150)]
        assert len(fake.record()) == 1


def test_stop_ends_all_and_keeps_what_came(page: Page, berth: Server, fakes: Fakes) -> None:
    for fake in fakes.values():
        fake.behave(tokens=2_000)
    comparing(page, berth)
    ask(page)
    for model in fakes:
        expect(column(page, model).get_by_text("t8 ", exact=False)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped ·", exact=False)).to_have_count(2)
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)
    for model, fake in fakes.items():
        shown = tokens(column(page, model))
        assert len(shown) > 8
        assert shown == [f"t{n}" for n in range(len(shown))]
        fake.last_call("left")


def test_one_that_fails_leaves_the_other_alone_and_can_be_asked_again(
    page: Page, berth: Server, fakes: Fakes
) -> None:
    fakes["qwen"].behave(error_after=5)
    fakes["mistral"].behave(gap_ms=100)
    comparing(page, berth)
    ask(page)
    expect(column(page, "qwen").get_by_role("alert")).to_be_visible()
    retry = column(page, "qwen").get_by_role("button", name="Retry")
    assert retry.count() == 0  # it would stop the other
    expect(column(page, "mistral")).to_contain_text("60 tokens")
    expect(column(page, "mistral").get_by_role("alert")).to_have_count(0)
    pictures(page, "failed")
    fakes["qwen"].behave(error_after=-1)
    retry.click()
    expect(column(page, "qwen")).to_contain_text("60 tokens")
    are_over(page, 2)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(columns(page)).to_have_count(2)
    assert tokens(column(page, "qwen")) == [f"t{n}" for n in range(60)]
    assert len(fakes["mistral"].record()) == 1


def test_a_server_killed_in_the_middle_keeps_what_came_in_every_column(
    page: Page, home: Path, fakes: Fakes
) -> None:
    lay_both(home, fakes)
    for fake in fakes.values():
        fake.behave(tokens=2_000)
    with running_server(home) as server:
        comparing(page, server)
        ask(page, "What will be lost?")
        for model in fakes:
            expect(column(page, model).get_by_text("t20 ", exact=False)).to_be_visible()
        address = page.url.partition("/Chat")[2]
        server.process.kill()
        server.process.wait()
    with running_server(home) as server:
        page.goto(f"{server.url}/Chat{address}")
        expect(page.get_by_text("Berth was restarted", exact=False)).to_have_count(2)
        for model in fakes:
            shown = tokens(column(page, model))
            assert len(shown) > 20
            assert shown == [f"t{n}" for n in range(len(shown))]


def test_on_a_phone_the_columns_stand_one_below_the_other(page: Page, berth: Server) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    comparing(page, berth)
    ask(page)
    are_over(page, 2)
    first, second = (columns(page).nth(n).bounding_box() for n in (0, 1))
    assert first
    assert second
    assert first["y"] + first["height"] <= second["y"]
    assert first["width"] > PHONE[0] * 0.7
    overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(overflow)


def test_with_one_model_chosen_nothing_can_be_sent(page: Page, berth: Server) -> None:
    comparing(page, berth)
    page.get_by_test_id("stMultiSelect").get_by_role("button", name="Remove").first.click()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    expect(box).to_be_disabled()
    expect(box).to_have_attribute("placeholder", re.compile("at least 2"))


def exported(page: Page, kind: str) -> Download:
    page.get_by_role("button", name="Export").last.click()
    with page.expect_download() as download:
        page.get_by_role("option", name=kind).or_(page.get_by_role("menuitem", name=kind)).click()
    return download.value


def test_a_comparison_is_exported_with_prompt_answers_and_figures(
    page: Page, berth: Server, fakes: Fakes
) -> None:
    fakes["mistral"].behave(text="From the south", gap_ms=1)
    comparing(page, berth)
    ask(page, "Where from?")
    are_over(page, 2)
    markdown = exported(page, "Markdown").path().read_text(encoding="utf-8")
    assert "> Where from?" in markdown
    assert "| mistral |" in markdown
    assert "50.0 tok/s" in markdown
    assert "From the south" in markdown
    told = json.loads(exported(page, "JSON").path().read_text(encoding="utf-8"))
    assert [answer["model"] for answer in told["answers"]] == ["mistral", "qwen"]
    assert told["answers"][1]["completion_tokens"] == 60
    assert exported(page, "CSV").suggested_filename.endswith("-comparison.csv")


def test_three_models_fit_beside_each_other(page: Page, home: Path, fakes: Fakes) -> None:
    with running_fake("--gap-ms", "5", "--tokens", "40") as phi, running_server(home) as berth:
        lay_both(home, {**fakes, "phi-3.5-mini-instruct-with-a-long-name-Q4_K_M": phi})
        comparing(page, berth)
        page.get_by_test_id("stMultiSelect").locator("input").fill("qwen")
        page.get_by_role("option", name="qwen").click()
        ask(page)
        are_over(page, 3)
        expect(columns(page)).to_have_count(3)
        pictures(page, "three")


@pytest.fixture
def ollama() -> Iterator[RunningOllama]:
    """Two models that do not run, of which memory has room for one."""
    names = ("--models", "llama3.2:1b,llama3.2:3b", "--gap-ms", "40", "--load-ms", "300")
    size = ("--size-bytes", str(memory_available_bytes() * 55 // 100))
    with running_ollama(*names, *size) as fake:
        yield fake


@pytest.fixture
def crowded(home: Path, ollama: RunningOllama) -> Iterator[Server]:
    with running_berth(home, {"OLLAMA_HOST": ollama.url}) as server:
        yield server


def test_where_memory_has_room_for_one_the_other_waits_and_says_so(
    page: Page, crowded: Server, ollama: RunningOllama
) -> None:
    comparing(page, crowded)
    ask(page)
    waits = "Waits for llama3.2:1b: memory has room for one model at a time"
    expect(column(page, "llama3.2:3b").get_by_text(waits)).to_be_visible()
    pictures(page, "waiting")
    are_over(page, 2)
    expect(page.get_by_text(waits)).to_have_count(0)
    paths = [call["path"] for call in ollama.record() if call["path"] != "/api/show"]
    load, chat = "/api/generate", "/api/chat"
    assert paths == [load, chat, load, load, chat]  # the load in the middle takes the first away


def test_stop_ends_the_one_that_waits_too(
    page: Page, crowded: Server, ollama: RunningOllama
) -> None:
    ollama.behave(gap_ms=500)
    comparing(page, crowded)
    ask(page)
    expect(page.locator(".berth-status", has_text="Waits for llama3.2:1b")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Retry")).to_have_count(2)
    expect(page.locator(".berth-status", has_text="Waits for")).to_have_count(0)
    assert not [body for body in ollama.bodies("/api/chat") if body["model"] == "llama3.2:3b"]
