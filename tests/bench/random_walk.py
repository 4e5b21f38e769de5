"""Anybody's clicks in any order: `python -m tests.bench.random_walk [--steps N] [--minutes N]`.

Over Streamlit's own protocol, as owner and as guest: a page is opened, or a widget that is drawn
gets a value of its own kind, again and again. What counts is a page that shows an exception, and a
server that stops to answer; whatever else a random person does has to be taken. Printed: how many
of each, the slowest run, the server's memory, and every exception once.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection

from tests.conftest import ROOT
from tests.support.engines import register
from tests.support.fake_engine import running_fake
from tests.support.guests import shared_server, signed_in
from tests.support.server import Server
from tests.support.session import SECONDS, opened
from tests.support.tiny_gguf import write_tiny

PAGES = ("", "Deploy", "Models", "Chat", "System")
TEXTS = (
    "",
    "a",
    "Hello",
    "acme/Anvil-GGUF",
    "/nowhere.gguf",
    "https://huggingface.co/a/b",
    "é 漢 \u202e",
)
ANEW = ForwardMsg.FINISHED_EARLY_FOR_RERUN
KEPT_OPEN = 60  # steps in one tab
NEW_PAGE = 0.15  # of all steps
# A random person would at once end the guests' side, or wait for minutes.
LEFT_ALONE = ("Stop sharing", "New code", "Put out", "Share", "Ask for a key on this machine too")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Fill = Callable[[random.Random, Element, WidgetState], None]


@dataclass
class Walk:
    """What happened."""

    steps: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def _trigger(_: random.Random, __: Element, state: WidgetState) -> None:
    state.trigger_value = True


def _bool(chance: random.Random, _: Element, state: WidgetState) -> None:
    state.bool_value = chance.random() < 0.5


def _text(chance: random.Random, _: Element, state: WidgetState) -> None:
    state.string_value = chance.choice(TEXTS)


def _number(chance: random.Random, element: Element, state: WidgetState) -> None:
    asked = element.number_input
    least, most = (asked.min if asked.has_min else 0), (asked.max if asked.has_max else 100)
    state.double_value = float(round(chance.uniform(least, most)))


def _one_of(chance: random.Random, element: Element, state: WidgetState) -> None:
    asked = element.selectbox if element.WhichOneof("type") == "selectbox" else element.radio
    if asked.options:
        state.string_value = chance.choice(list(asked.options))


def _some_of(chance: random.Random, element: Element, state: WidgetState) -> None:
    options = list(element.multiselect.options)
    state.string_array_value.data.extend(chance.sample(options, chance.randint(0, len(options))))


def _at(chance: random.Random, element: Element, state: WidgetState) -> None:
    if options := list(element.slider.options):
        state.string_array_value.data.append(chance.choice(options))
    else:
        state.double_array_value.data.append(chance.uniform(element.slider.min, element.slider.max))


def _said(chance: random.Random, _: Element, state: WidgetState) -> None:
    state.chat_input_value.data = chance.choice(TEXTS)


FILLS: dict[str, Fill] = {
    "button": _trigger,
    "download_button": _trigger,
    "checkbox": _bool,
    "text_input": _text,
    "text_area": _text,
    "number_input": _number,
    "selectbox": _one_of,
    "radio": _one_of,
    "multiselect": _some_of,
    "slider": _at,
    "chat_input": _said,
}


class Tab:
    """One open tab that does something at random."""

    def __init__(self, socket: ClientConnection, chance: random.Random, walk: Walk) -> None:
        self._socket, self._chance, self._walk = socket, chance, walk
        self._page, self._widgets = "", list[Element]()
        self._states: dict[str, WidgetState] = {}

    def step(self) -> None:
        """Another page, or a value for one of the widgets."""
        message = BackMsg()
        if not self._widgets or self._chance.random() < NEW_PAGE:
            self._page, self._states = self._chance.choice(PAGES), {}
            self._walk.steps["page"] += 1
        else:
            self._fill(self._chance.choice(self._widgets))
        message.rerun_script.page_name = self._page
        message.rerun_script.widget_states.widgets.extend(self._states.values())
        self._states = {k: s for k, s in self._states.items() if not s.trigger_value}
        self._run(message)

    def _fill(self, element: Element) -> None:
        kind = element.WhichOneof("type") or ""
        state = WidgetState()
        state.id = getattr(element, kind).id
        FILLS[kind](self._chance, element, state)
        if state.WhichOneof("value"):
            self._states[state.id] = state
            self._walk.steps[kind] += 1

    def _run(self, message: BackMsg) -> None:
        """Have the page drawn to its end, also where it begins anew by itself."""
        began, self._widgets = time.monotonic(), []
        self._socket.send(message.SerializeToString())
        while True:
            data = self._socket.recv(timeout=SECONDS)
            news = ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode())
            if news.WhichOneof("type") == "script_finished" and news.script_finished != ANEW:
                break
            if news.WhichOneof("type") == "delta":
                self._see(news.delta.new_element)
        self._walk.slowest = max(self._walk.slowest, time.monotonic() - began)

    def _see(self, element: Element) -> None:
        kind = element.WhichOneof("type") or ""
        if kind == "exception":
            said = element.exception
            where = next((line for line in reversed(said.stack_trace) if "/lib/" in line), "")
            self._walk.exceptions[f"{self._page}: {said.type}: {said.message[:200]} {where}"] += 1
        elif kind in FILLS and getattr(getattr(element, kind), "label", "") not in LEFT_ALONE:
            self._widgets.append(element)


def walked(
    server: Server, chance: random.Random, steps: int, seconds: float, url: str = ""
) -> Walk:
    """So many steps, in tab after tab, while there is time; a guest's where `url` is theirs."""
    walk, give_up_at = Walk(), time.monotonic() + seconds
    cookie = signed_in(url) if url else ""
    while sum(walk.steps.values()) < steps and time.monotonic() < give_up_at:
        with opened(server, cookie, url=url) as session:
            tab = Tab(session.socket, chance, walk)
            for _ in range(KEPT_OPEN):
                tab.step()
    return walk


def _stop_models(home: Path) -> None:
    """What somebody started would outlive everything."""
    command = [sys.executable, "-m", "lib.engines", "stop", "--all"]
    world = {**os.environ, "BERTH_HOME": str(home), "OLLAMA_HOST": "127.0.0.1:9"}
    subprocess.run(command, cwd=ROOT, env=world, stdout=subprocess.DEVNULL, check=False)


def _gist(traceback: str) -> str:
    """Where it was in our files, and the last words; without colours."""
    lines = [line.strip() for line in _COLOUR.sub("", traceback).splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(str(ROOT)) and "site-packages" not in line]
    return " | ".join([*(line.removeprefix(str(ROOT)) for line in ours), *lines[-3:]])


def main() -> None:
    """Start everything, walk, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=30.0, help="half for each of the two")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    nowhere = "http://127.0.0.1:9"  # no network: a look-up and a download are refused at once
    world = {"HF_ENDPOINT": nowhere, "PIP_INDEX_URL": nowhere, "OLLAMA_HOST": nowhere}
    with tempfile.TemporaryDirectory() as folder, running_fake("--tokens", "20") as fake:
        home = Path(folder)
        write_tiny(home / "models" / "tiny.gguf")
        with shared_server(home, world=world) as (server, url):
            register(home, fake)
            process = psutil.Process(server.process.pid)
            before = process.memory_info().rss
            for who, where in (("owner", ""), ("guest", url)):
                chance, seconds = random.Random(f"{given.seed} {who}"), given.minutes * 30
                walk = walked(server, chance, given.steps // 2, seconds, where)
                print(f"{who}: {sum(walk.steps.values())} steps {dict(walk.steps)}", flush=True)
                print(f"  {walk.exceptions.total()} exceptions; slowest run {walk.slowest:.1f} s")
                for what, often in walk.exceptions.most_common():
                    print(f"  {often} x {what}")
            after = process.memory_info().rss
            _stop_models(home)
            print(f"memory {before / 2**20:.0f} -> {after / 2**20:.0f} MiB")
            told = Counter(map(_gist, server.output.split("Traceback")[1:]))
            print(f"{told.total()} tracebacks in the log")
            for one, often in told.most_common():
                print(f"  {often} x {one}")


if __name__ == "__main__":
    main()
