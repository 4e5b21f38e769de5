"""The chat page against a fake engine: slow, rude, broken and cut off in the middle."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, WebSocket, WebSocketRoute, expect

from tests.support.berth import lay_fake, running_berth
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server, running_server

SLOWLY = ("--gap-ms", "30", "--tokens", "60")


@pytest.fixture(scope="module")
def fake() -> Iterator[Running]:
    with running_fake(*SLOWLY) as engine:
        yield engine


def ask(page: Page, text: str = "Say something") -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def asked(page: Page, text: str) -> Locator:
    return page.get_by_test_id("stChatMessage").get_by_text(text)


def answer(page: Page) -> str:
    return page.get_by_test_id("stChatMessage").filter(visible=True).last.inner_text()


def test_every_token_is_shown_once_and_the_figures_stand_below(page: Page, berth: Server) -> None:
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)
    assert re.findall(r"\bt\d+\b", answer(page)) == [f"t{n}" for n in range(60)]
    assert "60 tokens" in answer(page)


def test_stop_takes_effect_before_the_first_token(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(prefill_ms=60_000)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.locator(".berth-status", has_text="Reading the question")).to_be_visible()
    fake.last_call("running")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped", exact=False)).to_be_visible()
    assert fake.last_call("left")["tokens_sent"] == 0
    fake.behave(prefill_ms=0)
    ask(page, "Again")
    expect(page.get_by_text(re.compile("60 tokens"))).to_be_visible()


def test_what_came_before_stop_stays(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=2_000)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text("t20 ", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped", exact=False)).to_be_visible()
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)
    shown = re.findall(r"\bt\d+\b", answer(page))
    assert len(shown) > 20
    assert shown == [f"t{n}" for n in range(len(shown))]
    fake.last_call("left")


def test_a_reload_in_mid_reply_goes_on_with_it(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=120)
    page.goto(f"{berth.url}/Chat")
    ask(page, "A question to keep")
    expect(page.get_by_text("t20 ", exact=False).first).to_be_visible()
    page.reload()
    expect(asked(page, "A question to keep")).to_be_visible()
    expect(page.get_by_text(re.compile("120 tokens"))).to_be_visible()
    assert re.findall(r"\bt\d+\b", answer(page)) == [f"t{n}" for n in range(120)]
    assert len(fake.record()) == 1


def test_the_end_of_a_long_reply_stays_in_sight_unless_the_reader_scrolls_away(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(tokens=400, paragraph=8, gap_ms=15)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text("t250 ", exact=False).first).to_be_in_viewport()
    expect(page.get_by_text(re.compile("400 tokens"))).to_be_in_viewport()
    ask(page, "Once more")
    message = page.get_by_test_id("stChatMessage").filter(visible=True)
    expect(message).to_have_count(4)
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -3_000)
    expect(asked(page, "Say something")).to_be_in_viewport()
    expect(page.get_by_text(re.compile("400 tokens"))).to_have_count(2)
    expect(asked(page, "Say something")).to_be_in_viewport()


def test_another_page_and_back_loses_nothing(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=120)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text("t10 ", exact=False).first).to_be_visible()
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    expect(page.get_by_text(re.compile("120 tokens"))).to_be_visible()
    assert re.findall(r"\bt\d+\b", answer(page)) == [f"t{n}" for n in range(120)]


def test_a_cut_after_the_end_doubles_nothing(page: Page, berth: Server, fake: Running) -> None:
    """The page does not hear of the end, as where the network has just gone."""
    fake.behave(reply="one\n\ntwo\n\nthree", gap_ms=200)
    live: list[WebSocketRoute] = []
    is_cut = threading.Event()

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: None if is_cut.is_set() else server.send(message))

    def listen(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        live.append(socket)

    page.route_web_socket(re.compile("_stcore/stream"), pass_on)
    page.route_web_socket(re.compile("replies/live"), listen)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.locator(".berth-block").first).to_be_visible()
    is_cut.set()
    expect(page.locator(".berth-live[data-phase=over]")).to_be_visible()
    live[-1].close()
    for _ in range(100):
        page.wait_for_timeout(0 if len(live) > 1 else 50)
    page.wait_for_timeout(500)
    assert len(live) == 2
    assert page.locator(".berth-blocks").inner_text().split() == ["one", "two", "three"]


def test_a_page_that_was_left_listens_no_more(page: Page, berth: Server) -> None:
    listening: list[str] = []

    def heard(socket: WebSocket) -> None:
        if "/api/replies/live" in socket.url:
            listening.append(socket.url)
            socket.on("close", lambda _: listening.remove(socket.url))

    page.on("websocket", heard)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text(re.compile("60 tokens"))).to_be_visible()
    assert len(listening) == 1
    page.get_by_role("link", name="System").click()
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    for _ in range(200):
        page.wait_for_timeout(50 if listening else 0)
    assert listening == []


def test_a_killed_engine_leaves_its_words_the_cause_and_retry(page: Page, home: Path) -> None:
    with running_fake(*SLOWLY, "--die-after", "25") as mortal, running_berth(home) as berth:
        lay_fake(home, mortal)
        page.goto(f"{berth.url}/Chat")
        ask(page)
        expect(page.get_by_role("alert")).to_be_visible()
        assert "t24" in answer(page)
        assert page.get_by_role("alert").inner_text().count(" ") > 4
        expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_retry_asks_again_in_place_of_the_failure(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(error_after=5)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_role("alert")).to_be_visible()
    fake.behave(error_after=-1)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text(re.compile("60 tokens"))).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(2)


def test_a_server_killed_in_mid_reply_keeps_what_came(
    page: Page, home: Path, fake: Running
) -> None:
    fake.afresh().behave(tokens=2_000)
    with running_server(home) as server:
        lay_fake(home, fake)
        page.goto(f"{server.url}/Chat")
        ask(page, "What will be lost?")
        expect(page.get_by_text("t30 ", exact=False).first).to_be_visible()
        address = page.url.partition("/Chat")[2]
        server.process.kill()
        server.process.wait()
    with running_server(home) as server:
        page.goto(f"{server.url}/Chat{address}")
        expect(asked(page, "What will be lost?")).to_be_visible()
        expect(page.get_by_text("Berth was restarted", exact=False)).to_be_visible()
        shown = re.findall(r"\bt\d+\b", answer(page))
        assert len(shown) > 30
        assert shown == [f"t{n}" for n in range(len(shown))]
        expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_markup_from_a_model_is_text_and_its_images_are_not_fetched(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(
        text="<img src=x onerror=document.title='taken'> ![p](http://127.0.0.1:9/pixel.png) "
        "<script>document.title='taken'</script> [link](javascript:alert(1)) the-end"
    )
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(request.url))
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text("the-end").first).to_be_visible()
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    assert page.title() != "taken"
    assert not [url for url in wanted if "pixel.png" in url]
    message = page.get_by_test_id("stChatMessage").filter(visible=True).last
    assert message.locator("img").count() == 0
    assert message.locator("a[href^=javascript]").count() == 0


def test_two_browsers_do_not_see_each_others_replies(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(tokens=500)
    page.goto(f"{berth.url}/Chat")
    ask(page, "A secret question")
    expect(page.get_by_text("t5 ", exact=False).first).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.get_by_test_id("stChatInput")).to_be_visible()
    other.wait_for_timeout(500)
    assert "A secret question" not in other.content()
    other.context.close()


def test_a_prompt_too_long_is_told_with_its_numbers(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(context=5)
    page.goto(f"{berth.url}/Chat")
    ask(page, "one two three four five six seven")
    expect(page.get_by_role("alert")).to_contain_text("7")
    expect(page.get_by_role("alert")).to_contain_text("5")


def test_a_reply_that_repeats_itself_is_stopped_and_can_be_continued(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(text="Paris, Madrid, London, Madrid. " * 600, gap_ms=1)
    page.goto(f"{berth.url}/Chat")
    ask(page)
    expect(page.get_by_text("It repeats itself", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("button", name="Answer again", exact=True)).to_have_count(1)
    before = answer(page)
    fake.behave(text="and Rome.", gap_ms=0)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_test_id("stChatMessage").filter(visible=True).last).to_contain_text("Rome.")
    assert before[:500].removeprefix("sailing").strip() in answer(page)
