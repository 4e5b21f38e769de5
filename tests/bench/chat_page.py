"""What the chat page adds to an engine: `python -m tests.bench.chat_page [--cell 50tps-200]`.

A fake engine writes the time into every token; the page, in Chromium, notes when it was painted.
Engine, server and browser share the machine, as they do at home, and so one clock. Printed per
cell, as the median of its runs: what design.md's budgets ask for, beside the budget, and the
machine's load before the cell began. It fails where a single token was not painted.

`first` is the time from Enter to the first token's paint without the engine's own; `asked` (Enter
to the engine's getting the request) and `shown` (first token sent to its paint) are its parts.
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from lib.chat.conversations import (
    Document,
    Turn,
    new_id,
    said,
)
from tests.support.berth import lay_fake, running_berth
from tests.support.browser import launched
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server

RUNS = 3
BUDGETS = {
    "asked": "",
    "shown": "",
    "first": "<=50",
    "p50": "<=30|35",
    "p95": "<=60|80",
    "longest": "",
    "freeze": "<=60",
    "busy": "<=45",
    "ws_kb": "<=200",
    "http_kb": "",
    "speed": ">=0.98",
    "mib": "<=220|400",
    "missing": "0",
}
INPUT = '[data-testid="stChatInput"] textarea'
WATCH = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
ENDLESS = 10**9  # tokens of context, so that no conversation is too long for the fake engine

Row = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """A situation to measure."""

    tokens: int
    gap_ms: int
    earlier: int = 0  # messages of the conversation before; the warming-up adds two
    browsers: int = 1

    @property
    def name(self) -> str:
        """As `--cell` takes it."""
        late = "-500th" if self.earlier else ""
        crowd = f"-{self.browsers}browsers" if self.browsers > 1 else ""
        return f"{1000 // self.gap_ms}tps-{self.tokens}{late}{crowd}"


CELLS = [
    *(Cell(t, g, e) for t, g, e in itertools.product((200, 2_000), (20, 5), (0, 498))),
    Cell(20_000, 5),
    Cell(200, 20, browsers=20),
]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Traffic:
    """Bytes that came to the page, by WebSocket and by HTTP."""

    def __init__(self, session: CDPSession) -> None:
        self.socket_bytes = self.http_bytes = 0
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", self._frame)
        session.on("Network.dataReceived", self._data)

    def _frame(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        data = frame["payloadData"]
        self.socket_bytes += len(data) * 3 // 4 if frame["opcode"] == 2 else len(data.encode())

    def _data(self, event: dict[str, Any]) -> None:
        self.http_bytes += event["encodedDataLength"] or event["dataLength"]


@dataclass
class Counts:
    """A page's totals at one moment."""

    at: float
    socket_bytes: int
    http_bytes: int
    busy_seconds: float


class Tab:
    """A page with a conversation in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._traffic = Traffic(self._session)
        self._question = ""
        self._before = self._counts()

    def ask(self) -> None:
        """Send a question, of which there is only one."""
        self._question = f"How late is it? {new_id()}"
        self.page.locator(INPUT).fill(self._question)
        self._before = self._counts()
        self.page.locator(INPUT).press("Enter")

    def wait(self, fake: Running) -> dict[str, Any]:
        """The engine's record of the reply, once the page has drawn it to its end."""
        while True:
            call = next((call for call in fake.record() if self._question in asked(call)), None)
            if call and call["ended"] != "running":
                break
            self.page.wait_for_timeout(200)
        self.page.wait_for_selector(".berth-live .berth-block", state="detached", timeout=60_000)
        return call

    def figures(self, call: dict[str, Any]) -> dict[str, Any]:
        """What was measured of the reply."""
        seen: dict[str, Any] = self.page.evaluate("bench.isOn = false, bench")
        late, before, now = seen["latencies"], self._before, self._counts()
        alone = call["ended_at"] - call["began_at"]
        to_engine = call["began_at"] * 1e3 - seen["enter"]
        return {
            "asked": to_engine,
            "shown": late[0],
            "first": to_engine + late[0],
            "latencies": late,
            "longest": max(late),
            "freeze": seen["freeze"],
            "busy": 100 * (now.busy_seconds - before.busy_seconds) / (now.at - before.at),
            "ws_kb": (now.socket_bytes - before.socket_bytes) / 1e3,
            "http_kb": (now.http_bytes - before.http_bytes) / 1e3,
            "speed": alone / (alone + late[-1] / 1e3),
            "missing": abs(call["tokens_sent"] - len(late)),
        }

    def _counts(self) -> Counts:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        busy = next(m["value"] for m in metrics if m["name"] == "TaskDuration")
        traffic = self._traffic
        return Counts(time.time(), traffic.socket_bytes, traffic.http_bytes, busy)


def asked(call: dict[str, Any]) -> str:
    """The last message that the engine got."""
    return json.dumps(call["body"]["messages"][-1])


def one_run(tabs: Sequence[Tab], fake: Running, seconds: float) -> dict[str, float]:
    """Every tab asks; nobody looks before the reply can be over, so as not to disturb it."""
    for tab in tabs:
        tab.ask()
    tabs[0].page.wait_for_timeout(1e3 * seconds)
    calls = [tab.wait(fake) for tab in tabs]
    tabs[0].page.wait_for_timeout(300)
    found = [tab.figures(call) for tab, call in zip(tabs, calls, strict=True)]
    late = [one for figures in found for one in figures.pop("latencies")]
    medians = {name: statistics.median(figures[name] for figures in found) for name in found[0]}
    missing = sum(figures["missing"] for figures in found)
    spread = {"p50": percentile(late, 0.5), "p95": percentile(late, 0.95)}
    return {**medians, **spread, "missing": missing}


def conversation(messages: int) -> Document:
    """Questions and answers of usual length."""
    turns: list[Turn] = []
    for n in range(messages // 2):
        before = turns[-1]["id"] if turns else ""
        question = f"What is number {n} in the long list of things that people ask about?"
        answer = f"{mark(n)}\n\n" + "It is a thing like any other. " * 12
        turns.append(said("user", question, parent=before))
        turns.append(said("assistant", answer, parent=turns[-1]["id"]))
    return Document(turns=turns)


def mark(exchange: int) -> str:
    """By what an answer of the conversation is known on the page."""
    return f"Number {exchange} of the list."


def seed(context: BrowserContext, talk_id: str, messages: int) -> None:
    """Put a conversation into the browser's storage before the page can look there."""
    text = conversation(messages).model_dump_json()
    meta = {"title": "A long one", "ts": 1, "rev": "seed", "n": len(text)}
    kept = {f"berth:m:{talk_id}": json.dumps(meta), f"berth:c:{talk_id}": text}
    context.add_init_script(
        f"for (const [key, value] of Object.entries({json.dumps(kept)}))"
        " localStorage.getItem(key) ?? localStorage.setItem(key, value);"
    )


def opened(browser: Browser, berth: Server, earlier: int) -> Tab:
    """A new browser with the conversation open."""
    context, talk_id = browser.new_context(), new_id()
    context.add_init_script(WATCH)
    if earlier:
        seed(context, talk_id, earlier)
    page = context.new_page()
    page.goto(f"{berth.url}/Chat" + (f"?c={talk_id}" if earlier else ""))
    page.locator(f"{INPUT}:enabled").wait_for(timeout=60_000)
    if earlier:
        page.get_by_text(mark(earlier // 2 - 1)).wait_for(timeout=60_000)
    return Tab(page)


def measured(
    cell: Cell, browser: Browser, fake: Running, berth: Server, options: argparse.Namespace
) -> Row:
    """The medians over several replies in the same conversations, after one to warm up."""
    tabs = [opened(browser, berth, cell.earlier) for _ in range(cell.browsers)]
    fake.behave(tokens=20, gap_ms=cell.gap_ms, stamp=True, paragraph=40, context=ENDLESS)
    fake.behave(prefill_ms=options.prefill_ms)
    one_run(tabs, fake, 1)
    tabs[0].page.wait_for_timeout(4_000)  # the server loads the last of its modules
    fake.behave(tokens=cell.tokens)
    seconds = cell.tokens * cell.gap_ms / 1e3
    found = [one_run(tabs, fake, seconds) for _ in range(options.runs)]
    memory = psutil.Process(berth.process.pid).memory_info().rss / 2**20
    missing = sum(run["missing"] for run in found)
    medians = {name: statistics.median(run[name] for run in found) for name in found[0]}
    return {**medians, "mib": memory, "missing": missing}


@contextlib.contextmanager
def running() -> Iterator[tuple[Running, Server]]:
    """A fake engine and a server that knows it, both new."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_fake() as fake,
    ):
        os.environ["BERTH_HOME"] = folder  # whatever is stopped at the end is only here
        with running_berth(Path(folder)) as berth:
            lay_fake(berth.home, fake)
            yield fake, berth


def printed(name: str, load: float, row: Row) -> None:
    """One line of the table."""
    numbers = "".join(f"{row[column]:10.2f}" for column in BUDGETS)
    print(f"{name:22}{load:6.2f}{numbers}", flush=True)


def main() -> int:
    """Run the cells and print the table; 1 where a token went missing."""
    names = {cell.name: cell for cell in CELLS}
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--cell", action="append", choices=names, help="this one alone")
    options.add_argument("--prefill-ms", type=float, default=0, help="the engine's own time")
    chosen = options.parse_args()
    print(f"{'':22}{'load':>6}" + "".join(f"{name:>10}" for name in BUDGETS))
    print(f"{'budget':28}" + "".join(f"{budget:>10}" for budget in BUDGETS.values()))
    missing = 0.0
    with sync_playwright() as playwright:
        for name in chosen.cell or names:
            load = os.getloadavg()[0]
            with launched(playwright) as browser, running() as (fake, berth):
                row = measured(names[name], browser, fake, berth, chosen)
            printed(name, load, row)
            missing += row["missing"]
    if missing:
        print(f"{missing:.0f} tokens were never painted, or painted twice.", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
