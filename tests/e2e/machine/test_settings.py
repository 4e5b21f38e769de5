"""What is set for one browser: its theme, and the notices that it shows."""

import json

from playwright.sync_api import Page, expect

from tests.support.server import Server

# Chromium without a window shows no notice: what is asked for is looked at.
HEARD = """
  window.shown = [];
  window.Notification = class { constructor(title, { body, tag }) { shown.push([body, tag]); } };
  Notification.permission = sessionStorage.getItem("permission") ?? "default";
  Notification.requestPermission = async () => {
    sessionStorage.setItem("permission", "granted");
    return (Notification.permission = "granted");
  };
"""
BACKGROUND = (
    "getComputedStyle(document.querySelector('[data-testid=stApp]') ?? document.body)"
    ".backgroundColor"
)
DARK = "rgb(18, 23, 22)"


def test_the_theme_holds_for_every_page_and_after_a_reload(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/Settings")
    page.get_by_role("button", name="Dark", exact=True).click()
    page.wait_for_function(f"() => {BACKGROUND} === '{DARK}'")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    for name in ("", "Models", "Chat"):
        page.goto(f"{server.url}/{name}")
        page.wait_for_function(f"() => {BACKGROUND} === '{DARK}'")
    page.goto(f"{server.url}/Settings")
    page.get_by_role("button", name="As the system").click()
    page.wait_for_function(f"() => {BACKGROUND} !== '{DARK}'")


def test_a_browser_that_wants_notices_shows_each_once(page: Page, server: Server) -> None:
    tell(server, (1, "“Old” is done after 3 s."))
    page.add_init_script(HEARD)
    page.goto(f"{server.url}/Settings")
    page.get_by_role("button", name="Show notices in this browser").click()
    expect(page.get_by_test_id("stMain").get_by_text("They are shown here while")).to_be_visible()
    page.get_by_role("button", name="Show one now").click()
    assert page.evaluate("shown") == [["This is a test. Notices reach you here.", "berth-test"]]
    tell(server, (1, "“Old” is done after 3 s."), (2, "tiny failed."))
    page.wait_for_function("() => shown.length === 2")
    assert page.evaluate("shown.at(-1)") == ["tiny failed.", "berth-2"]
    page.reload()
    expect(page.get_by_role("button", name="Show no notices in this browser")).to_be_visible()
    assert page.evaluate("shown") == []
    page.get_by_role("button", name="Show no notices in this browser").click()
    expect(page.get_by_test_id("stMain").get_by_text("None are shown any more.")).to_be_visible()


def tell(server: Server, *found: tuple[int, str]) -> None:
    kept = [{"number": number, "at": 1.0, "text": text} for number, text in found]
    (server.home / "notices.json").write_text(json.dumps(kept), encoding="utf-8")
