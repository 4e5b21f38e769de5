"""A question goes over the page's own socket; whatever happens then, it is there and asked once."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.support.berth import lay_fake
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

LIVE = re.compile("replies/live")
STREAMLIT = re.compile("_stcore/stream")


def box(page: Page) -> Locator:
    return page.get_by_test_id("stChatInput").locator("textarea")


def opened(page: Page, server: Server) -> Page:
    """A chat page on which everything has come to rest."""
    page.goto(f"{server.url}/Chat")
    ready(page)
    return page


def ready(page: Page) -> None:
    expect(page.get_by_role("button", name="New chat")).to_be_visible()
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_visible()
    expect(page.locator(".berth-asked, .berth-live")).to_have_count(2)
    page.wait_for_timeout(300)  # its socket opens


def ask(page: Page, text: str) -> None:
    box(page).fill(text)
    box(page).press("Enter")


DRAWN = '[class*="st-key-question-"] [data-testid=stText]'


def questions(page: Page) -> list[str]:
    """What the page shows as asked, from above to below."""
    shown = page.locator(f".berth-asked-text:visible, {DRAWN}")
    return [text.strip() for text in shown.all_inner_texts()]


def asked(fake: Running) -> list[str]:
    return [call["body"]["messages"][-1]["content"] for call in fake.record()]


def over(page: Page, replies: int = 1) -> None:
    expect(page.get_by_text(re.compile("first token"))).to_have_count(replies)


def test_the_reply_comes_though_streamlit_hears_nothing(
    page: Page, berth: Server, fake: Running
) -> None:
    is_deaf = deaf(page)
    opened(page, berth)
    is_deaf.append(True)
    fake.behave(text="It is half past nine.")
    ask(page, "How late is it?")
    expect(page.locator(".berth-block")).to_have_text("It is half past nine.")
    assert questions(page) == ["How late is it?"]
    assert box(page).input_value() == ""
    is_deaf.clear()
    over(page)
    assert asked(fake) == ["How late is it?"]


TOPS = """() => {
    window.tops = [];
    const page = document.querySelector('[data-testid=stMain]');
    const look = () => {
        const live = document.querySelector('.berth-live .berth-block');
        if (live) tops.push(Math.round(live.getBoundingClientRect().top + page.scrollTop));
        requestAnimationFrame(look);
    };
    look();
}"""


def test_nothing_moves_when_the_page_takes_the_question_over(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(tokens=60, gap_ms=20)
    opened(page, berth)
    ask(page, "First")
    over(page)
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)
    page.evaluate(TOPS)
    ask(page, "Second")
    over(page, 2)
    tops = page.evaluate("tops")
    assert tops
    assert max(tops) - min(tops) <= 2, sorted(set(tops))


def test_a_question_waits_for_a_server_that_is_killed_and_comes_back(
    page: Page, tmp_path: Path, fake: Running
) -> None:
    fake.afresh().behave(text="Here again.")
    home = tmp_path / "berth"
    with running_server(home) as server:
        lay_fake(home, fake)
        opened(page, server)
        ask(page, "Are you there?")
        over(page)
        box(page).fill("And now?")
        server.process.kill()
        box(page).press("Enter")
        page.wait_for_timeout(500)
        is_taken = not box(page).input_value()  # else it was known to be away already
        assert is_taken == ("And now?" in questions(page))
        port = server.port
    with running_server(home, port=port):
        if not is_taken:
            ready(page)
            box(page).press("Enter")
        over(page, 2)
        assert questions(page) == ["Are you there?", "And now?"]
        assert asked(fake) == ["Are you there?", "And now?"]


def held_back(page: Page) -> list[bool]:
    """Until it is emptied, the live socket sends nothing, as where the network is slow."""
    holds = [True]

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: None if holds else server.send(message))

    page.route_web_socket(LIVE, pass_on)
    return holds


def test_a_question_that_never_arrived_is_asked_after_a_reload(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(text="Yes.")
    holds = held_back(page)
    opened(page, berth)
    ask(page, "Did it arrive?")
    expect(page.locator(".berth-asked-note")).to_contain_text("is sent as soon as it does")
    assert questions(page) == ["Did it arrive?"]
    holds.clear()
    page.reload()
    over(page)
    assert questions(page) == ["Did it arrive?"]
    assert asked(fake) == ["Did it arrive?"]


def test_a_reload_right_after_enter_asks_once(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=60, gap_ms=20)
    opened(page, berth)
    ask(page, "Once?")
    expect(page).to_have_url(re.compile(r"\?c="))
    page.reload()
    over(page)
    assert questions(page) == ["Once?"]
    assert asked(fake) == ["Once?"]


def test_two_quick_messages_are_both_asked_in_order(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(tokens=100, gap_ms=20)
    opened(page, berth)
    ask(page, "One")
    ask(page, "Two")
    expect(page.get_by_text("100 tokens")).to_be_visible()
    assert questions(page) == ["One", "Two"]
    assert asked(fake) == ["One", "Two"]


def test_enter_pressed_twice_sends_once(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(text="Once.")
    opened(page, berth)
    box(page).fill("Only once")
    page.evaluate("""() => {
        const box = document.querySelector('[data-testid=stChatInputTextArea]');
        const enter = { key: "Enter", code: "Enter", keyCode: 13, bubbles: true, cancelable: true };
        for (let n = 0; n < 2; n++) box.dispatchEvent(new KeyboardEvent("keydown", enter));
    }""")
    over(page)
    page.wait_for_timeout(500)
    assert asked(fake) == ["Only once"]
    assert questions(page) == ["Only once"]


def test_escape_stops_before_streamlit_knows(page: Page, berth: Server, fake: Running) -> None:
    fake.behave(prefill_ms=60_000)
    opened(page, berth)
    ask(page, "Long?")
    fake.last_call("running")
    box(page).press("Escape")
    expect(page.get_by_text("Stopped")).to_be_visible()
    fake.last_call("left")


def test_the_enter_of_an_input_method_sends_nothing(
    page: Page, berth: Server, fake: Running
) -> None:
    opened(page, berth)
    box(page).fill("にほん")
    for extra in ({"isComposing": True, "keyCode": 229}, {"isComposing": False, "keyCode": 229}):
        event = {"key": "Enter", "bubbles": True, "cancelable": True, **extra}
        box(page).evaluate("(e, how) => e.dispatchEvent(new KeyboardEvent('keydown', how))", event)
    page.wait_for_timeout(300)
    assert asked(fake) == []
    assert box(page).input_value() == "にほん"


def test_two_tabs_ask_in_one_conversation(
    page: Page, berth: Server, fake: Running, browser: Browser
) -> None:
    fake.behave(text="Begun.")
    opened(page, berth)
    ask(page, "Start")
    over(page)
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    fake.behave(tokens=60, gap_ms=20, text="")
    ask(page, "Left")
    ask(other, "Right")
    for tab, own in ((page, "Left"), (other, "Right")):
        over(tab, 2)
        expect(tab.locator(DRAWN).last).to_have_text(own)
    assert sorted(asked(fake)[1:]) == ["Left", "Right"]
    other.reload()
    expect(other.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(4)
    kept = other.evaluate("JSON.stringify(Object.entries(localStorage))")
    assert {"Left", "Right"} <= {word for word in ("Left", "Right") if word in kept}


def deaf(page: Page) -> list[bool]:
    """As long as there is something in it, Streamlit hears nothing."""
    is_deaf: list[bool] = []

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: None if is_deaf else server.send(message))

    page.route_web_socket(STREAMLIT, pass_on)
    return is_deaf


def test_an_edit_that_was_lost_is_sent_again_and_asked_once(
    page: Page, berth: Server, fake: Running
) -> None:
    is_deaf = deaf(page)
    fake.behave(text="So.")
    opened(page, berth)
    ask(page, "Teh question")
    over(page)
    page.get_by_role("button", name="Edit").click()
    is_deaf.append(True)
    area = page.get_by_role("textbox", name="Question")
    area.fill("The question")
    area.press("Enter")
    expect(area).to_have_count(0)
    is_deaf.clear()
    expect(page.locator(DRAWN)).to_have_text(["The question"])
    over(page)
    assert asked(fake) == ["Teh question", "The question"]


def test_an_edit_that_nobody_hears_comes_back_into_its_box(
    page: Page, berth: Server, fake: Running
) -> None:
    is_deaf = deaf(page)
    fake.behave(text="So.")
    opened(page, berth)
    ask(page, "Teh question")
    over(page)
    page.get_by_role("button", name="Edit").click()
    is_deaf.append(True)
    area = page.get_by_role("textbox", name="Question")
    area.fill("The question")
    area.press("Enter")
    expect(area).to_have_count(0)
    expect(area).to_have_value("The question")


def test_what_was_deleted_stays_so_though_the_page_is_loaded_at_once(
    page: Page, berth: Server, fake: Running
) -> None:
    """The browser has not stored it yet: here as it never hears what the server wants stored."""
    is_cut: list[bool] = []

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if is_cut else socket.send(message))

    page.route_web_socket(STREAMLIT, pass_on)
    fake.behave(text="So.")
    opened(page, berth)
    for number, text in enumerate(("One", "Two"), start=1):
        ask(page, text)
        over(page, number)
    is_cut.append(True)
    page.get_by_role("button", name="Delete question and answer").last.click()
    page.wait_for_timeout(500)
    is_cut.clear()
    page.reload()
    expect(page.locator(DRAWN)).to_have_text(["One"])


def test_a_refused_question_stays_with_its_reason(page: Page, berth: Server, fake: Running) -> None:
    """The server says no: here as it does where the disk is full."""

    def refuse(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        tries: list[str] = []

        def answer(message: str | bytes) -> None:
            asking = json.loads(message)
            tries.append(asking["ask"])
            if len(tries) > 1:
                server.send(message)
                return
            told = ["x", asking["ask"], "no_space", "The disk is full.", "Free some space."]
            socket.send(json.dumps(told) + "\n")

        socket.on_message(answer)

    page.route_web_socket(LIVE, refuse)
    fake.behave(text="Fine.")
    opened(page, berth)
    ask(page, "Room?")
    expect(page.locator(".berth-asked-note")).to_contain_text("The disk is full. Free")
    assert questions(page) == ["Room?"]
    page.locator(".berth-asked-retry").click()
    over(page)
    assert asked(fake) == ["Room?"]


@pytest.fixture(autouse=True)
def at_ease(fake: Running) -> Iterator[None]:
    yield
    fake.afresh()
