"""What the chat page adds to an engine: `python -m tests.bench.chat_page`.

A fake engine writes the time into every token; the page, in Chromium, notes when it was painted.
Engine, server and browser share the machine, as they do at home, and so one clock. Printed per
case, as the median of the runs: what design.md's budgets ask for, beside the budget.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.support.berth import lay_fake, running_berth
from tests.support.browser import launched
from tests.support.fake_engine import Running, running_fake

CASES = [(200, 20), (200, 5), (2_000, 20), (2_000, 5)]  # tokens, milliseconds between them
RUNS = 3
BUDGETS = {
    "first": "<= 50",
    "p50": "<= 30 (35 at 5 ms)",
    "p95": "<= 60 (80 at 5 ms)",
    "freeze": "<= 60",
    "busy": "<= 45",
    "kilobytes": "<= 200",
    "speed": ">= 0.98",
}

WATCH = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Traffic:
    """Bytes that came to the page, by WebSocket and by HTTP."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes = 0
        session.send("Network.enable")
        session.send("Performance.enable")
        session.on("Network.webSocketFrameReceived", self._frame)
        session.on("Network.dataReceived", self._data)

    def _frame(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        data = frame["payloadData"]
        self.bytes += len(data) * 3 // 4 if frame["opcode"] == 2 else len(data)

    def _data(self, event: dict[str, Any]) -> None:
        self.bytes += event["encodedDataLength"] or event["dataLength"]


def busy_seconds(session: CDPSession) -> float:
    """Main-thread seconds spent on tasks since the page began."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def one_reply(page: Page, session: CDPSession, traffic: Traffic, fake: Running) -> dict[str, float]:
    """Ask once and measure."""
    calls = len(fake.record())
    box = page.locator('[data-testid="stChatInput"] textarea')
    box.fill("How late is it?")
    before, bytes_before, busy_before = time.time(), traffic.bytes, busy_seconds(session)
    box.press("Enter")
    while len(fake.record()) == calls or fake.record()[-1]["ended"] == "running":
        page.wait_for_timeout(100)
    page.wait_for_selector(".berth-live .berth-block", state="detached", timeout=30_000)
    page.wait_for_timeout(300)
    wall, call = time.time() - before, fake.record()[-1]
    seen: dict[str, Any] = page.evaluate("bench.isOn = false, bench")
    alone = call["ended_at"] - call["began_at"]
    engine_own = seen["firstPaint"] - seen["latencies"][0] - call["began_at"] * 1e3
    return {
        "first": seen["firstPaint"] - seen["enter"] - engine_own,
        "p50": percentile(seen["latencies"], 0.5),
        "p95": percentile(seen["latencies"], 0.95),
        "longest": max(seen["latencies"]),
        "freeze": seen["freeze"],
        "busy": 100 * (busy_seconds(session) - busy_before) / wall,
        "kilobytes": (traffic.bytes - bytes_before) / 1e3,
        "speed": alone / (alone + seen["latencies"][-1] / 1e3),
        "missing": call["tokens_sent"] - len(seen["latencies"]),
    }


def case(page: Page, fake: Running, tokens: int, gap_ms: int, runs: int) -> dict[str, float]:
    """The medians over several replies in one conversation, after one to warm up."""
    session = page.context.new_cdp_session(page)
    traffic = Traffic(session)
    fake.behave(tokens=20, gap_ms=gap_ms, stamp=True, paragraph=40)
    one_reply(page, session, traffic, fake)
    fake.behave(tokens=tokens)
    found = [one_reply(page, session, traffic, fake) for _ in range(runs)]
    return {name: statistics.median(run[name] for run in found) for name in found[0]}


def main() -> None:
    """Run the cases and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=RUNS)
    runs = options.parse_args().runs
    print(f"{'':14}" + "".join(f"{name:>20}" for name in BUDGETS))
    print(f"{'budget':14}" + "".join(f"{budget:>20}" for budget in BUDGETS.values()))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_fake() as fake,
        running_berth(Path(folder)) as berth,
        sync_playwright() as playwright,
        launched(playwright) as browser,
    ):
        lay_fake(berth.home, fake)
        for tokens, gap_ms in CASES:
            page = browser.new_page()
            page.add_init_script(WATCH)
            page.goto(f"{berth.url}/Chat")
            page.wait_for_selector('[data-testid="stChatInput"] textarea')
            found = case(page, fake, tokens, gap_ms, runs)
            cells = "".join(f"{found[name]:20.2f}" for name in BUDGETS)
            print(f"{f'{tokens} @ {gap_ms} ms':14}{cells}  missing {found['missing']:.0f}")
            page.close()


if __name__ == "__main__":
    main()
