"""The owner shares Berth with the network; a guest signs in, chats, and is told when it is over."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake, running_berth
from tests.support.browser import reload
from tests.support.fake_engine import Running, running_fake
from tests.support.guests import CODE, lan_address, shared_server
from tests.support.server import Server

SAID = "Paris is the capital of France."
WAITS = re.compile("Next question in [0-9]+ s")
VIEWS = [
    pytest.param(size, scheme, id=f"{size[0]}-{scheme}")
    for size in (DESKTOP, PHONE)
    for scheme in ("light", "dark")
]


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake("--text", SAID) as engine:
        yield engine


@pytest.fixture
def berth(home: Path, fake: Running) -> Iterator[Server]:
    """Not shared yet, but an address was chosen before."""
    home.mkdir()
    (home / "settings.toml").write_text(f'share_address = "{lan_address()}"\n')
    lay_fake(home, fake)
    with running_berth(home) as server:
        yield server


@pytest.fixture
def guest(browser: Browser) -> Iterator[Page]:
    """Another person's browser."""
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A browser that goes on although it does not know the certificate."""
    size = {"width": PHONE[0], "height": PHONE[1]}
    with browser.new_context(viewport=size, ignore_https_errors=True) as context:  # type: ignore[arg-type]
        yield context.new_page()


def ask(page: Page, text: str) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def sign_in(page: Page, code: str) -> None:
    page.get_by_label("Access code").fill(code)
    page.get_by_role("button", name="Sign in").click()


def share(owner: Page, berth: Server) -> tuple[str, str]:
    """Switch it on; the address and the code as the page shows them."""
    owner.goto(f"{berth.url}/System")
    owner.get_by_role("button", name="Share", exact=True).click()
    expect(owner.get_by_role("button", name="Stop sharing")).to_be_visible()
    shown = owner.get_by_test_id("stCode")
    url = shown.filter(has_text="http://").inner_text().strip()
    code = shown.filter(has_text=re.compile(r"^\s*\w{4}-\w{4}\s*$")).inner_text().strip()
    return url, code


def test_a_guest_signs_in_chats_and_is_told_when_it_is_over(
    page: Page, guest: Page, berth: Server, fake: Running
) -> None:
    url, code = share(page, berth)
    guest.goto(url)
    sign_in(guest, "wrong-code")
    expect(guest.get_by_role("alert")).to_contain_text("This is not the access code.")
    sign_in(guest, code.upper())
    expect(guest.get_by_test_id("stChatInput")).to_be_visible()
    assert guest.url == f"{url}/Chat"
    expect(guest.get_by_text("What you write goes there, unencrypted")).to_be_visible()
    menu = guest.get_by_test_id("stSidebarNav").get_by_role("listitem")
    expect(menu).to_have_text(["Chat"])
    ask(guest, "What is the capital of France?")
    answer = guest.get_by_test_id("stChatMessage").filter(visible=True).last
    expect(answer).to_contain_text(SAID)
    assert fake.last_call("done")["body"]["max_tokens"] == 2_048
    reload(guest)
    expect(guest.get_by_test_id("stChatMessage").filter(visible=True).last).to_contain_text(SAID)
    guest.goto(f"{url}/Models")
    expect(guest.get_by_role("button", name="Chat")).to_be_visible()
    for forbidden in ("Stop", "More", "Start", "Remove"):
        expect(guest.get_by_role("button", name=forbidden)).to_have_count(0)
    guest.goto(f"{url}/Deploy")
    expect(guest.get_by_text("Only the owner deploys models here.")).to_be_visible()
    expect(page.get_by_text("1 page open")).to_be_visible()
    page.get_by_role("button", name="Stop sharing").click()
    expect(guest.get_by_text("The owner has stopped sharing")).to_be_visible()
    expect(page.get_by_role("button", name="Share", exact=True)).to_be_visible()
    guest.get_by_role("button", name="Try again").click()
    expect(guest.get_by_role("status")).to_have_text("Not shared yet.")
    guest.screenshot(path=PICTURES / "guest-over.png")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("button", name="Stop sharing")).to_be_visible()
    guest.get_by_role("button", name="Try again").click()
    expect(guest.get_by_label("Access code")).to_be_visible()


def one_a_minute(berth: Server) -> None:
    """The owner allows guests so few questions."""
    with (berth.home / "settings.toml").open("a") as file:
        file.write("\n[guests]\nquestions_per_minute = 1\n")


def test_a_question_over_the_limit_says_when_it_goes_and_goes_then(
    page: Page, guest: Page, berth: Server, fake: Running
) -> None:
    one_a_minute(berth)
    url, code = share(page, berth)
    guest.goto(url)
    sign_in(guest, code)
    expect(guest.get_by_test_id("stChatInput")).to_be_visible()
    ask(guest, "What is the capital of France?")
    expect(guest.get_by_text(SAID)).to_have_count(1)
    ask(guest, "And again?")
    expect(
        guest.locator(".berth-status", has_text=re.compile("Next question in [0-9]+ s"))
    ).to_be_visible()
    guest.screenshot(path=PICTURES / "guest-waits.png")
    assert len(fake.record()) == 1
    expect(guest.get_by_text(SAID)).to_have_count(2, timeout=70_000)


def test_a_question_that_waits_for_its_minute_can_be_stopped(
    page: Page, guest: Page, berth: Server, fake: Running
) -> None:
    one_a_minute(berth)
    url, code = share(page, berth)
    guest.goto(url)
    sign_in(guest, code)
    ask(guest, "What is the capital of France?")
    expect(guest.get_by_text(SAID)).to_have_count(1)
    ask(guest, "And again?")
    expect(
        guest.locator(".berth-status", has_text=re.compile("Next question in [0-9]+ s"))
    ).to_be_visible()
    guest.get_by_role("button", name="Stop").click()
    expect(guest.get_by_text("Stopped ·")).to_be_visible()
    assert len(fake.record()) == 1


def test_a_named_guest_chats_encrypted_and_is_signed_out(
    page: Page, stranger: Page, berth: Server
) -> None:
    page.goto(f"{berth.url}/System")
    page.get_by_text("Encryption and proxy", exact=True).click()
    page.get_by_text("A certificate that Berth makes").click()
    page.locator(".st-key-sharing_ways").get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It holds now.")).to_be_visible()
    page.get_by_role("combobox", name="Ends").click()
    page.get_by_role("option", name="In 8 hours").click()
    page.get_by_role("button", name="Share", exact=True).click()
    section = page.locator(".st-key-sharing")
    expect(section.get_by_text("ends in 7 h 59 min")).to_be_visible()
    shown = page.get_by_test_id("stCode")
    url = shown.filter(has_text="https://").inner_text().strip()
    code = shown.filter(has_text=re.compile(r"^\s*\w{4}-\w{4}\s*$")).inner_text().strip()
    stranger.goto(f"{url.replace('https', 'http', 1)}/Chat")
    assert stranger.url.startswith(url)
    stranger.get_by_label("Your name").fill("<b>Ada</b>")
    sign_in(stranger, code)
    expect(stranger.get_by_text("You are a guest here.")).to_be_attached()
    stranger.goto(f"{url}/Chat")
    ask(stranger, "What is the capital of France?")
    answer = stranger.get_by_test_id("stChatMessage").filter(visible=True).last
    expect(answer).to_contain_text(SAID)
    cookies = {one["name"]: one for one in stranger.context.cookies()}
    assert cookies["__Host-berth_guest"]["secure"]
    assert cookies["__Host-berth_guest"]["httpOnly"]
    expect(section.get_by_text("<b>Ada</b>")).to_be_visible()
    expect(section.get_by_text(re.compile("here now · last question"))).to_be_visible()
    side = page.get_by_test_id("stSidebar")
    expect(side.get_by_text("Shared · 1 guest")).to_be_visible()
    section.get_by_role("button", name="Sign out").click()
    expect(stranger.get_by_label("Access code")).to_be_visible()
    expect(section.get_by_text("<b>Ada</b>")).to_have_count(0)
    sign_in(stranger, code)
    expect(stranger.get_by_test_id("stChatInput")).to_be_visible()
    side.get_by_role("button", name="End sharing").click()
    expect(stranger.get_by_text("The owner has stopped sharing")).to_be_visible()
    expect(section.get_by_role("button", name="Share", exact=True)).to_be_visible()


def test_a_guest_compares_what_the_owner_allows(page: Page, guest: Page, berth: Server) -> None:
    with running_fake("--text", "It is Paris.") as other:
        lay_fake(berth.home, other, name="other")
        url, code = share(page, berth)
        page.get_by_text("Limits for guests").click()
        page.get_by_label("Replies at a time, each guest", exact=True).fill("2")
        page.get_by_role("button", name="Save the limits").click()
        expect(page.get_by_text("The limits hold from the next question on.")).to_be_visible()
        guest.goto(f"{url}/Chat")
        sign_in(guest, code)
        guest.get_by_test_id("stCheckbox").filter(has_text="Compare").click()
        expect(guest.get_by_text("Ask several models the same.")).to_be_visible()
        ask(guest, "What is the capital of France?")
        expect(guest.get_by_text(SAID)).to_be_visible()
        expect(guest.get_by_text("It is Paris.")).to_be_visible()
        expect(guest.get_by_text(re.compile("first token"))).to_have_count(2)
        guest.screenshot(path=PICTURES / "guest-compares.png")


def test_a_new_code_sends_guests_back_to_the_login(page: Page, guest: Page, berth: Server) -> None:
    url, code = share(page, berth)
    guest.goto(url)
    with guest.expect_websocket(lambda socket: "guests/watch" in socket.url):
        sign_in(guest, code)
    expect(guest.get_by_text("You are a guest here.")).to_be_attached()
    page.get_by_role("button", name="New code").click()
    expect(guest.get_by_label("Access code")).to_be_visible()
    sign_in(guest, code)
    expect(guest.get_by_role("alert")).to_contain_text("This is not the access code.")


def test_limits_are_saved_and_shown_again(page: Page, berth: Server) -> None:
    page.goto(f"{berth.url}/System")
    page.get_by_text("Limits for guests").click()
    page.get_by_label("Tokens per reply").fill("300")
    page.get_by_role("button", name="Save the limits").click()
    expect(page.get_by_text("The limits hold from the next question on.")).to_be_visible()
    reload(page)
    page.get_by_text("Limits for guests").click()
    expect(page.get_by_label("Tokens per reply")).to_have_value("300")
    assert "tokens_per_reply = 300" in (berth.home / "settings.toml").read_text()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    home = tmp_path_factory.mktemp("berth")
    with running_fake("--text", SAID) as engine:
        lay_fake(home, engine)
        with shared_server(home) as pair:
            yield pair


def viewed(browser: Browser, size: tuple[int, int], scheme: str) -> BrowserContext:
    return browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )


@pytest.mark.parametrize(("size", "scheme"), VIEWS)
def test_how_it_looks(
    browser: Browser, shared: tuple[Server, str], size: tuple[int, int], scheme: str
) -> None:
    PICTURES.mkdir(exist_ok=True)
    server, url = shared
    name = f"sharing-{size[0]}-{scheme}"
    with viewed(browser, size, scheme) as context:
        owner = context.new_page()
        owner.goto(f"{server.url}/System")
        section = owner.locator(".st-key-sharing")
        expect(section.get_by_role("button", name="Stop sharing")).to_be_visible()
        code = section.get_by_role("img", name="QR code of the address for guests")
        expect(code).to_be_visible()
        assert code.evaluate("image => image.naturalWidth") > 100  # it is drawn
        owner.get_by_text("Limits for guests").click()
        expect(owner.get_by_label("Tokens per reply")).to_be_visible()
        section.scroll_into_view_if_needed()
        owner.wait_for_timeout(500)  # the fold opens
        owner.screenshot(path=PICTURES / f"{name}-owner.png")
        visitor = context.new_page()
        visitor.goto(url)
        visitor.screenshot(path=PICTURES / f"{name}-login.png")
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert not visitor.evaluate(wide)
        sign_in(visitor, CODE)
        expect(visitor.get_by_text("You are a guest here.")).to_be_attached()
        expect(visitor.get_by_test_id("stChatInput")).to_be_visible()
        visitor.wait_for_load_state("networkidle")
        visitor.screenshot(path=PICTURES / f"{name}-guest-Chat.png")
        for path in ("Models", "Deploy", "System"):
            visitor.goto(f"{url}/{path}")
            expect(visitor.get_by_role("heading", level=1)).to_be_visible()
            visitor.wait_for_load_state("networkidle")
            visitor.screenshot(path=PICTURES / f"{name}-guest-{path}.png")
            assert not visitor.evaluate(wide)
