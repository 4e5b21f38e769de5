"""Nothing jumps or fades, the keyboard is where one writes, and a phone shows what matters."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lib.api import static
from tests.conftest import ROOT
from tests.e2e.conftest import DESKTOP, PHONE
from tests.support.browser import AT_REST
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

GOOD = 0.1  # of a cumulative layout shift, as web.dev rates it
LEAST = 0.65  # of a phone's height that the conversation has
# What moves after somebody did something is no surprise, and is not counted.
SHIFTS = """window.shift = 0; window.moved = []; new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries().filter((one) => !one.hadRecentInput)) {
        window.shift += value;
        window.moved.push([value, ...sources.map(({ node, previousRect, currentRect }) =>
            [node?.className, previousRect.y, currentRect.y, node?.textContent?.slice(0, 30)])]);
    }
}).observe({ type: "layout-shift", buffered: true })"""
DRAWN = """() => document.querySelector('[data-testid="stMain"] :is(h1, [data-testid="stAlert"])')
    && !document.querySelector('[data-testid="stMain"] [data-testid="stSkeleton"]')"""
IDLE = "() => new Promise((done) => requestIdleCallback(done, { timeout: 2000 }))"
HEAD, BOTTOM = ".st-key-chat_head", '[data-testid="stBottom"]'
SIDEBAR = '[data-testid="stSidebar"][data-collapsed="{}"]'
FADED = """() => {
    document.getAnimations().filter(it => it instanceof CSSTransition).forEach(it => it.finish());
    const stale = [...document.querySelectorAll('[data-stale="true"]')];
    return stale.length && stale.map(it => getComputedStyle(it).opacity);
}"""


def visitor(browser: Browser, size: tuple[int, int], **more: object) -> BrowserContext:
    """Somebody at a desk, or with a phone that is touched."""
    is_phone = size == PHONE
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=is_phone,
        is_mobile=is_phone,
        **more,  # type: ignore[arg-type]
    )
    context.add_init_script(SHIFTS)
    return context


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = visitor(browser, PHONE)
    yield context.new_page()
    context.close()


def settled(page: Page) -> None:
    page.wait_for_function(DRAWN)
    page.wait_for_function(AT_REST)
    page.evaluate(IDLE)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "path", sorted(static.page_paths(ROOT)), ids=lambda path: path.strip("/") or "Home"
)
def test_a_page_hardly_moves_while_it_comes_cold_or_warm(
    browser: Browser, berth: Server, path: str, size: tuple[int, int]
) -> None:
    context = visitor(browser, size)
    for kind in ("cold", "warm"):
        page = context.new_page()
        page.goto(berth.url + path)
        settled(page)
        assert page.evaluate("shift") < GOOD, (kind, page.evaluate("moved"))
        page.close()
    context.close()


def test_room_is_kept_for_the_sidebar_unless_it_was_closed(browser: Browser, berth: Server) -> None:
    context = visitor(browser, DESKTOP)
    page = context.new_page()
    page.goto(berth.url)
    settled(page)
    page.get_by_test_id("stSidebarCollapseButton").locator("button").evaluate("it => it.click()")
    page.locator(SIDEBAR.format("true")).wait_for(state="attached")
    page.reload()
    settled(page)
    expect(page.locator(SIDEBAR.format("true"))).to_be_attached()
    assert page.evaluate("shift") < GOOD
    context.close()


@pytest.mark.parametrize(
    ("chosen", "system", "paper"),
    [("Dark", "light", "rgb(18, 23, 22)"), ("Light", "dark", "rgb(252, 252, 251)")],
)
def test_the_first_paint_has_the_chosen_theme(
    browser: Browser, berth: Server, chosen: str, system: str, paper: str
) -> None:
    context = visitor(browser, DESKTOP, color_scheme=system)
    context.add_init_script(f"localStorage.setItem('stActiveTheme-/-v2', '\"{chosen}\"')")
    page = context.new_page()
    page.route("**/static/js/**", lambda route: route.abort())  # Streamlit itself never comes
    page.goto(berth.url)
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == paper
    context.close()


def test_the_sidebar_of_a_phone_closes_when_a_page_is_chosen_and_after_a_load(
    phone: Page, berth: Server
) -> None:
    phone.goto(berth.url)
    settled(phone)
    phone.get_by_test_id("stExpandSidebarButton").click()
    phone.locator(SIDEBAR.format("false")).wait_for()
    phone.get_by_test_id("stSidebarNavLink").filter(has_text="Models").click()
    expect(phone.get_by_role("heading", name="Models", level=1)).to_be_visible()
    phone.locator(SIDEBAR.format("true")).wait_for(state="attached")
    phone.get_by_test_id("stExpandSidebarButton").click()
    phone.locator(SIDEBAR.format("false")).wait_for()
    phone.reload()
    settled(phone)
    phone.locator(SIDEBAR.format("true")).wait_for(state="attached")


def test_the_conversation_has_most_of_a_phone(phone: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=400)
    phone.goto(f"{berth.url}/Chat")
    settled(phone)
    phone.get_by_test_id("stChatInput").get_by_role("textbox").fill("Tell me much.")
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("first token")).to_be_visible()
    head, bottom = phone.locator(HEAD).bounding_box(), phone.locator(BOTTOM).bounding_box()
    assert head
    assert bottom
    assert (bottom["y"] - head["y"] - head["height"]) / PHONE[1] >= LEAST
    tops = [phone.locator(f".st-key-chat_{one}").bounding_box() for one in ("model", "settings")]
    first, second = (round(box["y"] + box["height"] / 2) for box in tops if box)
    assert abs(first - second) < 4  # one row
    clip = phone.locator(".berth-clip").bounding_box()
    box = phone.get_by_test_id("stChatInput").bounding_box()
    assert clip
    assert box
    assert box["x"] <= clip["x"]
    assert box["y"] <= clip["y"]


def test_a_finger_is_not_told_of_a_key(phone: Page, berth: Server, fake: Running) -> None:
    fake.behave(tokens=400, gap_ms=100)
    phone.goto(f"{berth.url}/Chat")
    settled(phone)
    phone.get_by_test_id("stChatInput").get_by_role("textbox").fill("Tell me much.")
    phone.keyboard.press("Enter")
    stop = phone.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    expect(stop.locator("kbd")).not_to_be_visible()
    stop.click()
    expect(phone.get_by_text("Stopped")).to_be_visible()


def test_the_head_of_a_chat_stays_and_an_edited_question_is_shown_once(
    chat: Page, fake: Running
) -> None:
    fake.behave(tokens=900)
    field = chat.get_by_test_id("stChatInput").get_by_role("textbox")
    field.fill("Tell me much.")
    chat.keyboard.press("Enter")
    expect(chat.get_by_text("first token")).to_be_visible()
    for name in ("chat_model", "chat_settings", "context-meter"):
        expect(chat.locator(f".st-key-{name}")).to_be_in_viewport()
    asked = chat.get_by_test_id("stChatMessage").first
    asked.get_by_role("button", name="Edit").click()
    expect(asked.get_by_role("textbox")).to_have_value("Tell me much.")
    expect(asked.get_by_test_id("stText")).not_to_be_visible()
    chat.keyboard.press("Escape")
    expect(asked.get_by_test_id("stText")).to_be_visible()


def test_one_arrives_in_the_message_box_and_is_back_in_it_after_new(chat: Page) -> None:
    field = chat.get_by_test_id("stChatInput").get_by_role("textbox")
    expect(field).to_be_focused()
    chat.get_by_role("button", name="New chat").click()
    expect(field).to_be_focused()
    chat.get_by_test_id("stSidebarNavLink").filter(has_text="Models").click()
    expect(chat.get_by_role("heading", name="Models", level=1)).to_be_visible()
    chat.get_by_test_id("stSidebarNavLink").filter(has_text="Chat").click()
    expect(field).to_be_focused()


def test_a_field_in_use_keeps_the_keyboard(chat: Page) -> None:
    search = chat.locator(".berth-search")
    search.click()
    chat.wait_for_function(AT_REST)
    expect(search).to_be_focused()


def test_a_phone_opens_no_keyboard_by_itself(phone: Page, berth: Server) -> None:
    phone.goto(f"{berth.url}/Chat")
    settled(phone)
    expect(phone.get_by_test_id("stChatInput").get_by_role("textbox")).not_to_be_focused()


def test_the_list_of_conversations_is_one_stop_of_the_tab_key(chat: Page) -> None:
    field = chat.get_by_test_id("stChatInput").get_by_role("textbox")
    for number in range(3):
        field.fill(f"Question {number}")
        chat.keyboard.press("Enter")
        expect(chat.get_by_text("first token")).to_be_visible()
        chat.get_by_role("button", name="New chat").click()
        expect(chat.get_by_text("first token")).to_have_count(0)
    stops = chat.locator('.berth-list [tabindex="0"]')
    expect(stops).to_have_count(1)
    stops.focus()
    chat.keyboard.press("ArrowDown")
    expect(chat.get_by_role("button", name="Question 1", exact=True)).to_be_focused()
    expect(stops).to_have_count(1)
    chat.keyboard.press("ArrowRight")
    expect(chat.get_by_role("button", name="Actions for Question 1")).to_be_focused()
    chat.keyboard.press("ArrowLeft")
    chat.keyboard.press("Tab")
    expect(chat.get_by_role("button", name="Export all")).to_be_focused()


@pytest.fixture
def slow_hub(tmp_path: Path) -> Iterator[Server]:
    """A Berth whose Hub takes every question and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        held: list[socket.socket] = []
        threading.Thread(target=_hold, args=(hub, held), daemon=True).start()
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        with running_server(tmp_path / "berth", {"HF_ENDPOINT": address}) as server:
            yield server
        for one in held:
            one.close()


def _hold(hub: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(hub.accept()[0])
        except OSError:
            return


def test_a_page_that_waits_does_not_fade(page: Page, slow_hub: Server) -> None:
    page.goto(f"{slow_hub.url}/Deploy")
    settled(page)
    page.get_by_role("button", name="Show the most used models").click()
    opacities = page.wait_for_function(FADED).json_value()
    assert {float(one) for one in opacities} == {1.0}
