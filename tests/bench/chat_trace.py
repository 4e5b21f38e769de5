"""Chromium's own trace of one question, and what the long tasks in it were.

The trace is a file for `chrome://tracing` and for the Performance panel of any Chromium.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

LONG_MILLISECONDS = 50.0
PARTS_TOLD = 5
TASKS = ("RunTask", "ThreadControllerImpl::RunTask")
CATEGORIES = [
    "toplevel",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "v8.execute",
    "blink.user_timing",
    "__metadata",
]
LONGEST_ADDRESS = 60  # characters of it that are told

Event = dict[str, Any]


@dataclass
class Task:
    """A task of the page's main thread; `parts` are the milliseconds of each thing done in it."""

    at: float  # milliseconds since Enter
    milliseconds: float
    parts: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """When, how long and what, the longest first."""
        parts = ", ".join(f"{name} {time:.0f}" for name, time in self.parts.most_common(PARTS_TOLD))
        return f"  at {self.at:8.0f} ms: {self.milliseconds:5.0f} ms  {parts}"


def traced(page: Page, file: Path, what: Callable[[], object]) -> list[Task]:
    """Do it while Chromium writes its trace to `file`; the long tasks of the page's main thread."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, path=file, categories=CATEGORIES)
    try:
        what()
    finally:
        raw = browser.stop_tracing()
    return long_tasks(json.loads(raw)["traceEvents"])


def long_tasks(events: list[Event]) -> list[Task]:
    """The tasks over 50 ms of the thread in which a key was pressed, by the time since Enter."""
    enter = next((e for e in events if _pressed(e)), None)
    if enter is None:
        return []
    thread = (enter["pid"], enter["tid"])
    ours = [e for e in events if e.get("ph") == "X" and (e["pid"], e["tid"]) == thread]
    ours.sort(key=lambda event: (event["ts"], -event.get("dur", 0)))
    return list(_tasks(ours, enter["ts"]))


def _pressed(event: Event) -> bool:
    """Is it the handling of a key's being pressed?"""
    data = event.get("args", {}).get("data", {})
    is_handled = event.get("name") == "EventDispatch" and event.get("ph") == "X"
    return is_handled and isinstance(data, dict) and data.get("type") == "keydown"


def _tasks(events: list[Event], enter: float) -> Iterator[Task]:
    end = 0.0
    for at, event in enumerate(events):
        milliseconds = event.get("dur", 0) / 1e3
        is_task = event["name"] in TASKS and event["ts"] >= end  # one has another name within it
        if is_task and milliseconds > LONG_MILLISECONDS:
            end = event["ts"] + event["dur"]
            inside = [e for e in events[at + 1 : at + 200_000] if e["ts"] < end]
            yield Task((event["ts"] - enter) / 1e3, milliseconds, _own_times(event, inside))


def _own_times(task: Event, inside: list[Event]) -> Counter[str]:
    """What was done in a task, each without what was done within it."""
    parts: Counter[str] = Counter()
    open_ones = [task]
    for event in inside:
        while event["ts"] >= open_ones[-1]["ts"] + open_ones[-1]["dur"]:
            open_ones.pop()
        milliseconds = event.get("dur", 0) / 1e3
        parts[_name(open_ones[-1])] -= milliseconds
        parts[_name(event)] += milliseconds
        open_ones.append({"dur": 0, **event})
    parts[_name(task)] += task["dur"] / 1e3
    return Counter({name: time for name, time in parts.items() if time >= 1})


def _name(event: Event) -> str:
    """`FunctionCall take history.js:93`, as far as the trace tells."""
    data = event.get("args", {}).get("data") or {}
    if not isinstance(data, dict):
        return str(event["name"])
    address = str(data.get("url", "")).partition("?")[0].rpartition("/")[2][-LONGEST_ADDRESS:]
    line = f":{data['lineNumber']}" if address and "lineNumber" in data else ""
    said = (event["name"], data.get("type", ""), data.get("functionName", ""), address + line)
    return " ".join(str(part) for part in said if part)
