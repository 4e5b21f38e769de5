"""Every page by the rules of WCAG in both themes, on the smallest phone, and by keyboard alone."""

import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE
from tests.support.berth import lay_fake
from tests.support.browser import AT_REST
from tests.support.fake_engine import Running, running_fake
from tests.support.guests import shared_server, signed_in
from tests.support.tiny_gguf import write_tiny

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
COUNT = 13  # enough for the table to be the first view
SMALLEST = 360
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
BROKEN = "() => axe.run(document).then(found => found.violations)"  # best practices, too
WIDTH = """() => Math.max(...[document.documentElement, document.body,
    document.querySelector('[data-testid="stMain"]')].map(one => one.scrollWidth))"""
# Where the keyboard is, and what shows it: a line, a shadow, or a border of the accent's colour.
FOCUS = """() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    document.getAnimations().filter(it => it instanceof CSSTransition).forEach(it => it.finish());
    const { top, left } = one.getBoundingClientRect();
    const around = [0, 1, 2, 3].reduce(all => [...all, all.at(-1).parentElement], [one]);
    const isSeen = around.map(it => getComputedStyle(it)).some(({ outlineStyle, boxShadow,
        borderTopColor }) => outlineStyle !== "none" || boxShadow !== "none" ||
        /^rgb\\((15, 118, 110|17, 129, 122)\\)$/.test(borderTopColor));
    const told = one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText;
    return { name: told?.trim() ?? "", isSeen, top: top + scrollY, left, id: one.dataset.testid };
}"""


class Shared(NamedTuple):
    """A Berth with models, one of which runs; where guests reach it, and the cookie of one."""

    owner: str
    guests: str
    cookie: str
    model: Path  # the file of one
    engine: Running


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("accessible") / "berth"
    text = "It is **Paris**: `ls -la`."
    with running_fake("--text", text) as fake, shared_server(home) as (server, guests):
        for number in range(COUNT):
            write_tiny(home / "models" / f"model-{number:02}.gguf", context=256)
        lay_fake(home, fake)
        home.chmod(0o755)  # a finding of the doctor's
        yield Shared(server.url, guests, signed_in(guests), home / "models" / "model-00.gguf", fake)


@pytest.fixture(scope="module")
def contexts(browser: Browser, berth: Shared) -> Iterator[dict[Theme, BrowserContext]]:
    """A visitor for each theme, who is a guest at the guests' address."""
    width, height = DESKTOP
    made: dict[Theme, BrowserContext] = {}
    for theme in THEMES:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, bypass_csp=True
        )
        name, _, value = berth.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": berth.guests}])
        made[theme] = context
    yield made
    for context in made.values():
        context.close()


def home(page: Page) -> None:
    expect(page.get_by_role("heading", name=re.compile("Running"))).to_be_visible()


def deploy(page: Page) -> None:
    expect(page.get_by_label("Model", exact=True)).to_be_visible()


def rows(page: Page) -> None:
    page.get_by_text("List", exact=True).click()
    expect(page.locator("strong", has_text="fake")).to_be_visible()  # the table has gone
    more = page.get_by_role("button", name="More", exact=True)
    if more.count():  # a guest has none
        more.first.click()
        expect(page.get_by_text("Context trained").first).to_be_visible()


def table(page: Page) -> None:
    page.get_by_role("button", name="Model 00").click()
    page.get_by_text("Endpoints", exact=True).click()
    expect(page.get_by_text('"model": "model-00"').first).to_be_visible()


def chat(page: Page) -> None:
    expect(page.get_by_test_id("stChatInput")).to_be_visible()


def reply(page: Page) -> None:
    chat(page)
    page.get_by_test_id("stChatInput").get_by_role("textbox").fill("What is the capital?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("first token")).to_be_visible()


def system(page: Page) -> None:
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    expect(page.locator(".vega-embed svg").last).to_be_visible()


def settings(page: Page) -> None:
    expect(page.get_by_role("group", name="Theme")).to_be_visible()


def requests(page: Page) -> None:
    said = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}]}
    page.request.post(page.url.replace("/Requests", "/v1/chat/completions"), data=said)
    expect(page.get_by_role("heading", name="What is kept")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def connect(page: Page) -> None:
    expect(page.get_by_role("heading", name="Programs on this machine")).to_be_visible()
    page.get_by_text("Copies for other machines").last.click()
    expect(page.get_by_text("wire_api")).to_be_visible()


Ready = Callable[[Page], None]
OWNERS: list[tuple[str, Ready]] = [
    ("", home),
    ("Deploy", deploy),
    ("Models", rows),
    ("Models", table),
    ("Chat", chat),
    ("Chat", reply),
    ("System", system),
    ("Settings", settings),
    ("Requests", requests),
    ("Connect", connect),
]
GUESTS: list[tuple[str, Ready]] = [("", chat), ("Models", rows), ("Chat", chat)]
VIEWS = [
    pytest.param(who, path, ready, theme, id=f"{who}-{ready.__name__}-{theme}")
    for who, views in (("owner", OWNERS), ("guest", GUESTS))
    for path, ready in views
    for theme in THEMES
]


@pytest.mark.parametrize(("who", "path", "ready", "theme"), VIEWS)
def test_a_page_breaks_no_rule_of_wcag_and_fits_the_smallest_phone(
    berth: Shared,
    contexts: dict[Theme, BrowserContext],
    who: str,
    path: str,
    ready: Ready,
    theme: Theme,
) -> None:
    page = contexts[theme].new_page()
    page.goto(f"{berth.owner if who == 'owner' else berth.guests}/{path}")
    ready(page)
    assert broken(page) == []
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("status").count() == 1
    page.set_viewport_size({"width": SMALLEST, "height": DESKTOP[1]})
    page.wait_for_function(f"{SMALLEST} >= ({WIDTH})()")
    assert broken(page) == []
    page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_what_opens_on_a_page_breaks_no_rule_either(
    berth: Shared, contexts: dict[Theme, BrowserContext], theme: Theme
) -> None:
    page = contexts[theme].new_page()
    page.goto(f"{berth.owner}/Models")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
    assert broken(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="Choose Model 00").check()
    page.get_by_role("button", name="Remove 1").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken(page) == []
    page.goto(f"{berth.owner}/Deploy")
    page.get_by_label("Model", exact=True).fill(str(berth.model))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stSlider")).to_be_visible()
    assert broken(page) == []
    page.goto(f"{berth.owner}/Settings")
    page.get_by_text("What is written").click()
    expect(page.get_by_test_id("stCode").first).to_be_visible()
    assert broken(page) == []
    page.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_chat_at_work_breaks_no_rule(
    berth: Shared, contexts: dict[Theme, BrowserContext], theme: Theme, size: tuple[int, int]
) -> None:
    page = contexts[theme].new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{berth.owner}/Chat")
    chat(page)
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    berth.engine.behave(gap_ms=5_000)
    try:
        page.get_by_test_id("stChatInput").get_by_role("textbox").fill("What is the capital?")
        page.keyboard.press("Enter")
        expect(page.locator(".berth-block").first).to_be_visible()
        assert broken(page) == []
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopped").first).to_be_visible()
    finally:
        berth.engine.behave(gap_ms=0)
    page.get_by_text("Compare", exact=True).click()
    expect(page.get_by_label("Models to compare")).to_be_visible()
    assert broken(page) == []
    if size == PHONE:
        page.get_by_test_id("stExpandSidebarButton").click()
        expect(page.get_by_role("button", name="New chat")).to_be_in_viewport()
        assert broken(page) == []
    page.close()


def broken(page: Page) -> list[str]:
    """Each rule that is broken, where, and why."""
    page.wait_for_function(AT_REST)
    page.evaluate(AXE)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in page.evaluate(BROKEN)
        for node in one["nodes"]
    ]


def walked(page: Page, until: str) -> list[dict[str, Any]]:
    """The stops of the Tab key, to the one of this name or round the whole page."""
    stops: list[dict[str, Any]] = []
    while len(stops) < 100 and (not stops or stops[-1]["name"] != until):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None:
            break
        stops.append(stop)
    return stops


def unnamed(stops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of which a screen reader could tell nothing, or that nobody sees.

    The page's main part is a stop only because it scrolls: the browser's own, without a ring.
    """
    return [one for one in stops if not one["name"] or not (one["isSeen"] or one["id"] == "stMain")]


def test_home_is_walked_in_the_order_in_which_it_is_read(page: Page, berth: Shared) -> None:
    page.goto(berth.owner)
    home(page)
    page.wait_for_function(AT_REST)
    stops = walked(page, "Everything")
    assert unnamed(stops) == []
    names = [one["name"].replace("\n", " ") for one in stops]
    assert names[0] == "Skip to main content"
    at = [
        next(index for index, name in enumerate(names) if name.endswith(wanted))
        for wanted in ("Settings", "Stop", "Open the chat", "All models", "Doctor", "Everything")
    ]
    assert at == sorted(at)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    address = page.get_by_test_id("stPopoverBody")
    expect(address).to_be_visible()
    page.keyboard.press("Escape")
    expect(address).to_have_count(0)
    expect(page.get_by_role("button", name="OpenAI address")).to_be_focused()


def test_models_are_filtered_chosen_and_removed_by_keyboard_alone(
    page: Page, berth: Shared
) -> None:
    page.goto(f"{berth.owner}/Models")
    expect(page.locator(".berth-mt tbody tr")).to_have_count(COUNT + 1)
    page.wait_for_function(AT_REST)
    assert unnamed(walked(page, "Choose Model 00")) == []
    page.keyboard.press("Space")
    remove = page.get_by_role("button", name="Remove 1")
    closes(page, page.get_by_role("button", name="Filter"), page.get_by_test_id("stPopoverBody"))
    closes(page, remove, page.get_by_role("dialog"))
    expect(page.get_by_role("checkbox", name="Choose Model 00")).to_be_checked()


def closes(page: Page, button: Locator, opened: Locator) -> None:
    """What this button opens is closed with Escape, and the keyboard is where it was."""
    expect(button).to_be_enabled()
    button.focus()
    page.keyboard.press("Enter")
    expect(opened).to_be_visible()
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    expect(button).to_be_focused()
