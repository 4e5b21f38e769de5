"""One conversation in a browser of its own, and what a person does in it."""

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Error, Locator, Page

from tests.support.sequences.truth import NAME, Truth

INPUT = '[data-testid="stChatInput"] textarea'
MESSAGE = '[data-testid="stChatMessage"]'
LOOK = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    const box = document.querySelector('[data-testid="stChatInput"] textarea');
    const pending = '[data-phase="live"], .berth-asked[data-waits]';
    return {
        isAtRest: app?.dataset.testScriptState === "notRunning"
            && app.dataset.testConnectionState === "CONNECTED"
            && Boolean(box && !box.disabled) && !document.querySelector(pending),
        waits: [
            app?.dataset.testScriptState, app?.dataset.testConnectionState,
            box ? (box.disabled ? "box disabled" : "box") : "no box",
            ...[...document.querySelectorAll(pending)].map(one => one.className),
        ].join(" "),
        text: document.querySelector('[data-testid="stMain"]')?.innerText ?? "",
        box: box?.value ?? "",
    };
}"""
NOTHING: dict[str, Any] = {"isAtRest": False, "waits": "no page", "text": "", "box": ""}
PATIENCE_SECONDS = 15.0
SHORT_SECONDS = 4.0
DOUBT_SECONDS = 6.0
LOOK_SECONDS = 0.1
STEADY_LOOKS = 10
RUSH_SECONDS = 0.15  # at most, until the next thing is done without waiting for the answer
ACTION_MILLISECONDS = 5_000
TYPE_MILLISECONDS = 15_000  # a page that is being loaded is slow where many are
LOAD_MILLISECONDS = 60_000


@dataclass
class Lane:
    """One browser with one conversation, in one tab or two."""

    context: BrowserContext
    url: str
    truth: Truth
    chance: random.Random
    has_two_tabs: bool
    is_aloud: bool = False
    pages: list[Page] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)  # tabs of which only their page can tell
    is_killing: bool = False  # the server, in this step
    # A deletion that a kill may have prevented, and what was shown before.
    doubtful: tuple[str, list[str]] | None = None

    async def open(self) -> None:
        """A chat that remembers nothing."""
        page = await self._new_tab()
        await page.goto(f"{self.url}/api/health")
        await page.evaluate("() => (localStorage.clear(), sessionStorage.clear())")
        await page.goto(f"{self.url}/Chat")
        await page.locator(f"{INPUT}:enabled").wait_for(timeout=LOAD_MILLISECONDS)

    async def _new_tab(self) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(ACTION_MILLISECONDS)
        page.set_default_navigation_timeout(LOAD_MILLISECONDS)
        self.pages.append(page)
        self.addresses.append(f"{self.url}/Chat")
        return page

    async def open_beside(self) -> None:
        """The same conversation in another tab, once it is kept."""
        await self.settled(0)
        page = await self._new_tab()
        await page.goto(self.pages[0].url)
        self.truth.branches.append(list(self.truth.branches[0]))
        await self.settled(1)

    async def close(self) -> None:
        for page in self.pages:
            await page.close()

    async def do(self, name: str, tab: int = 0) -> bool:
        """One step, which is noted; False where there was nothing to do it to."""
        self._note_address(tab)
        done = await STEPS[name](self, tab)
        if done:
            self.note(f"{done}{f' in tab {tab}' if self.has_two_tabs else ''}")
        return bool(done)

    def note(self, step: str) -> None:
        """For whoever wants to do the same again."""
        self.steps.append(step)
        if self.is_aloud:
            print(f"{time.strftime('%X')} {self.truth.prefix} {step}", file=sys.stderr, flush=True)

    def fault(self, what: str) -> None:
        """Something is not as it has to be."""
        self.faults.append(what)
        if self.is_aloud:
            print(
                f"{time.strftime('%X')} {self.truth.prefix} ! {what}", file=sys.stderr, flush=True
            )

    def _note_address(self, tab: int) -> None:
        if self.pages[tab].url.startswith(self.url):
            self.addresses[tab] = self.pages[tab].url

    # -- what people do ----------------------------------------------------------------------

    async def ask(self, tab: int, presses: int = 1) -> str:
        """Type something new and press Enter, once or twice."""
        await self._look_where_unknown(tab)
        box, branch = self.pages[tab].locator(f"{INPUT}:enabled"), self.truth.branches[tab]
        name = self.truth.ask(tab)
        try:
            await box.fill(name, timeout=TYPE_MILLISECONDS)
        except Error:  # what cannot be typed was never entered
            self.truth.withdraw(tab, name, branch)
            raise
        for _ in range(presses):
            await self.pages[tab].keyboard.press("Enter")
        return name

    async def _look_where_unknown(self, tab: int) -> None:
        """Of two tabs, one that was loaded again may show what the other has entered."""
        if tab not in self.unknown:
            return
        self.unknown.discard(tab)
        seen = await self._steady(tab)
        if seen["box"] in self.truth.entered and seen["box"] not in seen["text"]:
            await self._press_again(tab, seen["box"])
            seen = await self._steady(tab)
        self.truth.branches[tab] = _questions(seen["text"])

    async def _steady(self, tab: int) -> dict[str, Any]:
        """What is shown once nothing has changed for a while."""
        before, same, give_up_at = NOTHING, 0, time.monotonic() + PATIENCE_SECONDS
        while same < STEADY_LOOKS and time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK_SECONDS)
            seen = await self.look(tab)
            same = same + 1 if seen["isAtRest"] and seen == before else 0
            before = seen
        return before

    async def enter(self, tab: int) -> str:
        name = await self.ask(tab)
        return f"Enter {name}, {await self._wait_or_not(tab)}"

    async def enter_twice(self, tab: int) -> str:
        name = await self.ask(tab, presses=2)
        return f"Enter twice {name}, {await self._wait_or_not(tab)}"

    async def two_messages(self, tab: int) -> str:
        """The second as soon as the first is sent."""
        names = [await self.ask(tab), await self.ask(tab)]
        return f"Enter {' and at once '.join(names)}, {await self._wait_or_not(tab)}"

    async def _wait_or_not(self, tab: int) -> str:
        if self.chance.random() < 0.5:
            await self._answered(tab, SHORT_SECONDS)
            return "waited"
        pause = self.chance.uniform(0, RUSH_SECONDS)
        await asyncio.sleep(pause)
        return f"went on after {1e3 * pause:.0f} ms"

    async def _answered(self, tab: int, seconds: float = PATIENCE_SECONDS) -> None:
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at and not (await self.look(tab))["isAtRest"]:
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self, tab: int) -> str:
        button = self.pages[tab].get_by_role("button", name="Stop", exact=True)
        try:
            await button.click(timeout=700)
        except Error:
            return ""
        return "Stop"

    async def reload(self, tab: int) -> str:
        with contextlib.suppress(Error):  # nobody answers: an error page, as anybody gets it
            await self.pages[tab].reload()
        self.loaded(tab)
        return "reload"

    def loaded(self, tab: int) -> None:
        """It was, or is a new session of a new server."""
        if self.has_two_tabs:
            self.unknown.add(tab)

    async def edit(self, tab: int) -> str:
        branch = self.truth.branches[tab]
        if not branch:
            return ""
        at = self.chance.randrange(len(branch))
        page, old = self.pages[tab], branch[at]
        button = self._button(page, old, "Edit")
        box = page.get_by_role("textbox", name="Question", exact=True)
        try:
            await button.click()
            name = self.truth.edit(tab, at)
        except Error:
            return ""
        try:
            await box.fill(name)
        except Error:
            self.truth.withdraw(tab, name, branch)
            return ""
        await page.keyboard.press("Enter")
        return f"edit {old} to {name}, {await self._wait_or_not(tab)}"

    async def delete(self, tab: int) -> str:
        text = (await self.look(tab))["text"]
        answered = [name for answer, name in NAME.findall(text) if answer]
        answered = [name for name in answered if name in self.truth.branches[tab]]
        if not answered:
            return ""
        name = self.chance.choice(answered)
        button = self._button(self.pages[tab], f"re:{name}", "Delete question and answer")
        try:
            await button.click()
        except Error:
            return ""
        self.doubtful = (name, list(self.truth.branches[tab])) if self.is_killing else None
        self.truth.delete(tab, name)
        return f"delete {name}"

    def _button(self, page: Page, said: str, name: str) -> Locator:
        """In the bar of the message that says this."""
        messages = page.locator(MESSAGE).filter(has_text=re.compile(rf"(?<!re:){said}"))
        shown = messages.filter(visible=True)
        return shown.get_by_role("button", name=name, exact=True).last

    # -- what is seen ------------------------------------------------------------------------

    async def look(self, tab: int) -> dict[str, Any]:
        """What the tab shows, and whether it waits for anything."""
        try:
            seen: dict[str, Any] = await self.pages[tab].evaluate(LOOK)
        except Error:  # between two pages
            return NOTHING
        return seen

    async def settled(self, tab: int) -> None:
        """Wait until the tab shows what it has to; what it shows otherwise is a fault."""
        await self._look_where_unknown(tab)
        give_up_at = time.monotonic() + (DOUBT_SECONDS if self.doubtful else PATIENCE_SECONDS)
        seen, wrong = NOTHING, ["it was never at rest"]
        while time.monotonic() < give_up_at:
            seen = await self.look(tab)
            if seen["isAtRest"]:
                await self._send_again(tab, seen)
                if not (wrong := self.truth.faults_of_page(tab, seen["text"])):
                    self.doubtful = None
                    return
            await asyncio.sleep(LOOK_SECONDS)
        if not self._was_not_deleted(tab, seen):
            self._give_up(tab, seen, wrong)

    async def _send_again(self, tab: int, seen: dict[str, Any]) -> None:
        """Who finds the message in the box still presses Enter once more."""
        branch = self.truth.branches[tab]
        if branch and seen["box"] == branch[-1] and branch[-1] not in seen["text"]:
            await self._press_again(tab, branch[-1])

    async def _press_again(self, tab: int, name: str) -> None:
        self.note(f"Enter {name} again, which was still in the box")
        await self.pages[tab].locator(INPUT).press("Enter")

    def _was_not_deleted(self, tab: int, seen: dict[str, Any]) -> bool:
        """Did the server end before it heard of it? Nothing was lost then."""
        name, before = self.doubtful or ("", [])
        self.doubtful = None
        if not name or _questions(seen["text"]) != before:
            return False
        self.note(f"{name} was not deleted")
        self.truth.deleted.discard(name)
        self.truth.branches[tab] = before
        return True

    def _give_up(self, tab: int, seen: dict[str, Any], wrong: list[str]) -> None:
        """Tell it, and go on with what is there."""
        box = f", {seen['box']!r} in the box" if seen["box"] else ""
        alert = "" if seen["isAtRest"] else f", not at rest: {seen['waits']}"
        self.fault(f"{'; '.join(wrong)}{box}{alert}")
        shown = _questions(seen["text"])
        self.truth.forget(set(self.truth.branches[tab]) - set(shown))
        self.truth.branches[tab] = [n for n in shown if n in self.truth.entered]

    async def came_back(self, tab: int) -> None:
        """Load the page where the browser found nobody."""
        page = self.pages[tab]
        is_away = not page.url.startswith(self.url) or await self._is_error_page(page)
        if is_away:
            await page.goto(self.addresses[tab])

    async def _is_error_page(self, page: Page) -> bool:
        try:
            return bool(await page.evaluate("() => !document.querySelector('#root')"))
        except Error:
            return False

    async def reloaded(self) -> None:
        """Load the first tab again: it has to show the same, or with two tabs what either had."""
        page = self.pages[0]
        await page.reload()
        self.loaded(0)
        await self.settled(0)

    async def exported(self) -> list[dict[str, Any]]:
        """The conversations as the browser gives them out."""
        button = self.pages[0].get_by_role("button", name="Export all", exact=True)
        if not await button.count():
            return []
        async with self.pages[0].expect_download() as waiting:
            await button.click()
        download = await waiting.value
        found: list[dict[str, Any]] = json.loads(
            Path(await download.path()).read_text(encoding="utf-8")
        )["conversations"]
        return found


def _questions(text: str) -> list[str]:
    return [name for answer, name in NAME.findall(text) if not answer]


STEPS: dict[str, Callable[[Lane, int], Awaitable[str]]] = {
    "Enter": Lane.enter,
    "Enter twice": Lane.enter_twice,
    "two messages": Lane.two_messages,
    "Stop": Lane.stop,
    "reload": Lane.reload,
    "edit": Lane.edit,
    "delete": Lane.delete,
}
