"""A page with a conversation in it, as `tests.bench.chat_page` asks there and measures."""

import json
import time
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Page

from lib.chat.conversations import new_id
from tests.support.fake_engine import Running

ALL_THERE = "tokens => bench.seen.size >= tokens"
PATIENCE_MILLISECONDS = 60_000
LOOK_MILLISECONDS = 200
BEFORE_MILLISECONDS = 100  # frames before Enter, and whatever the typing has made busy is over


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

    def __init__(self, page: Page, box: str, over: str) -> None:
        self.page = page
        self._box, self._over = box, over
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._traffic = Traffic(self._session)
        self._question = ""
        self._before = self._counts()

    def ask(self) -> None:
        """Send a question, of which there is only one."""
        self._question = f"How late is it? {new_id()}"
        self.page.locator(self._box).fill(self._question)
        self.page.evaluate("bench.watch()")
        self.page.wait_for_timeout(BEFORE_MILLISECONDS)
        self._before = self._counts()
        self.page.locator(self._box).press("Enter")

    def wait(self, fake: Running) -> dict[str, Any]:
        """The engine's record of the reply, once the page has drawn it to its end."""
        while True:
            call = next((call for call in fake.record() if self._question in asked(call)), None)
            if call and call["ended"] != "running":
                break
            self.page.wait_for_timeout(LOOK_MILLISECONDS)
        how, what = (self._over, self._question) if self._over else (ALL_THERE, call["tokens_sent"])
        self.page.wait_for_function(
            how, arg=what, polling=LOOK_MILLISECONDS, timeout=PATIENCE_MILLISECONDS
        )
        return call

    def figures(self, call: dict[str, Any]) -> dict[str, Any]:
        """What was measured of the reply."""
        now = self._counts()
        seen: dict[str, Any] = self.page.evaluate(
            "() => (bench.isOn = false, { ...bench, shown: bench.shown() })"
        )
        late, before = seen["latencies"], self._before
        alone = call["ended_at"] - call["began_at"]
        to_engine = call["began_at"] * 1e3 - seen["enter"]
        wrong = sum(count != 1 for count in seen["shown"])
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
            "missing": abs(call["tokens_sent"] - len(late)) + wrong,
        }

    def _counts(self) -> Counts:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        busy = next(m["value"] for m in metrics if m["name"] == "TaskDuration")
        traffic = self._traffic
        return Counts(time.time(), traffic.socket_bytes, traffic.http_bytes, busy)


def asked(call: dict[str, Any]) -> str:
    """The last message that the engine got."""
    return json.dumps(call["body"]["messages"][-1])
