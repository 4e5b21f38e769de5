"""How soon a page is usable: `python -m tests.bench.page_load [--beside-folder CHECKOUT]`.

Each page is loaded by a browser that has never been here (cold) and again by the same one (warm);
two builds, each with a server and a home of its own, take turns on the same machine. Usable is the
first frame that has the page's main content (Chat: an input to write into) and no skeleton; still
is when the page's script has ended. Told are medians: milliseconds, requests, the kilobytes that
came by HTTP and by WebSocket, and how far things jumped (Cumulative Layout Shift).
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.bench.pages import serving
from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.browser import launched
from tests.support.fake_engine import running_fake

PAGES = {"Home": "", "Deploy": "Deploy", "Models": "Models", "Chat": "Chat", "System": "System"}
ROUNDS = 5
SETTLE_MS = 700  # what comes once the script has ended
WATCH = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
COLUMNS = ("usable", "still", "paint", "requests", "http_kb", "ws_kb", "shift")
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"

Row = dict[str, float]


@dataclass
class Build:
    """A server to load pages from, and what was measured of it, by page and kind of load."""

    name: str
    url: str
    found: dict[tuple[str, str], list[Row]] = field(default_factory=dict)

    def load(self, browser: Browser, title: str) -> None:
        """Once cold, once warm."""
        with contextlib.closing(browser.new_context()) as context:
            context.add_init_script(WATCH)
            page = context.new_page()
            page.goto("about:blank")
            for kind in ("cold", "warm"):
                self.found.setdefault((title, kind), []).append(loaded(page, self._url(title)))

    def median(self, title: str, kind: str) -> Row:
        """Of every column."""
        rows = self.found[title, kind]
        return {name: statistics.median(row[name] for row in rows) for name in COLUMNS}

    def _url(self, title: str) -> str:
        return f"{self.url}/{PAGES[title]}"


class Traffic:
    """What a page asked the server for, and the bytes that came; nothing of the browser's cache."""

    def __init__(self, session: CDPSession) -> None:
        self.http_bytes = self.socket_bytes = 0
        self._open = set[str]()
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.requestServedFromCache", self._kept)
        session.on("Network.responseReceived", self._response)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.webSocketFrameReceived", self._frame)

    @property
    def requests(self) -> int:
        """How many the server was asked for."""
        return len(self._open)

    def _asked(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):
            self._open.add(event["requestId"])

    def _kept(self, event: dict[str, Any]) -> None:
        self._open.discard(event["requestId"])

    def _response(self, event: dict[str, Any]) -> None:
        answer = event["response"]
        if answer.get("fromDiskCache") or answer.get("fromPrefetchCache"):
            self._open.discard(event["requestId"])

    def _finished(self, event: dict[str, Any]) -> None:
        self.http_bytes += event["encodedDataLength"]

    def _frame(self, event: dict[str, Any]) -> None:
        self.socket_bytes += len(event["response"]["payloadData"]) * 3 // 4  # base64


def loaded(page: Page, url: str) -> Row:
    """Load it, wait until nothing more comes, and count."""
    session = page.context.new_cdp_session(page)
    traffic = Traffic(session)
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.load?.still", polling=200, timeout=60_000)
    page.wait_for_timeout(SETTLE_MS)
    seen: Row = page.evaluate("load")
    paint: float = page.evaluate(PAINT)
    session.detach()
    return {
        **seen,
        "paint": paint,
        "requests": traffic.requests,
        "http_kb": traffic.http_bytes / 1e3,
        "ws_kb": traffic.socket_bytes / 1e3,
    }


def told(builds: Sequence[Build], titles: Sequence[str]) -> None:
    """A line for each page, kind of load and build; after the first build's, the ratio to it."""
    width = max(len(build.name) for build in builds)
    print(f"{'':13}{'':{width}}" + "".join(f"{name:>10}" for name in COLUMNS))
    for title in titles:
        for kind in ("cold", "warm"):
            first = builds[0].median(title, kind)
            for build in builds:
                row = build.median(title, kind)
                numbers = "".join(f"{row[name]:10.{3 if name == 'shift' else 0}f}" for name in row)
                ratio = (
                    f"  usable x {row['usable'] / first['usable']:.2f}" if len(builds) > 1 else ""
                )
                print(f"{title:8}{kind:5}{build.name:{width}}{numbers}{ratio}", flush=True)


@contextlib.contextmanager
def built(root: Path, name: str) -> Iterator[Build]:
    """The server of a checkout, with a home in which one model runs."""
    with tempfile.TemporaryDirectory() as folder, running_fake() as fake:
        home = Path(folder) / "home"
        home.mkdir()
        os.environ["BERTH_HOME"] = str(home)
        lay_fake(home, fake)
        with serving(root, home) as (_, host):
            yield Build(name, f"http://{host}")


def measure(browser: Browser, builds: Sequence[Build], titles: Sequence[str], rounds: int) -> None:
    """Rounds in which the builds take turns, after one that does not count."""
    for number in range(rounds + 1):
        for title in titles:
            for build in builds[:: 1 if number % 2 else -1]:
                build.load(browser, title)
        if not number:
            for build in builds:
                build.found.clear()


def main() -> int:
    """Serve, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", metavar="URL", help="a server that runs already")
    parser.add_argument("--beside-folder", type=Path, help="another checkout, to be served")
    parser.add_argument("--page", action="append", choices=PAGES, help="this one alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    titles = given.page or [*PAGES]
    with contextlib.ExitStack() as stack:
        builds = []
        if given.beside:
            builds.append(Build("beside", given.beside.rstrip("/")))
        if given.beside_folder:
            builds.append(stack.enter_context(built(given.beside_folder.resolve(), "beside")))
        builds.append(stack.enter_context(built(ROOT, "here")))
        browser = stack.enter_context(launched(stack.enter_context(sync_playwright())))
        measure(browser, builds, titles, given.rounds)
        told(builds, titles)
    return 0


if __name__ == "__main__":
    sys.exit(main())
