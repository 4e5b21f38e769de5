"""What `tests.bench.chat_page` measures: this checkout, another one, an address, and the floor."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, Page

from lib.chat.conversations import Document, Turn, new_id, said
from tests.bench.chat_tab import Tab
from tests.conftest import ROOT
from tests.support.berth import lay_fake, stop_engines
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

WATCH = Path(__file__).with_name("chat_page.js").read_text(encoding="utf-8")
INPUT = '[data-testid="stChatInput"] textarea'
ANSWERED = "question => bench.isAnswered(question)"
FLOOR_OVER = "() => document.body.dataset.phase === 'over'"
OURS, BESIDE, FLOOR = "this", "beside", "floor"


@dataclass(frozen=True)
class Build:
    """Something that is asked: its page, its input, and by what a reply's end is known there."""

    name: str
    page: str
    input: str
    over: str = ""  # a function of the question, in the page; empty: once all tokens are there
    server: Server | None = None

    @property
    def mib(self) -> float:
        """Memory of its server, where there is one of ours."""
        if not self.server:
            return float("nan")
        return float(psutil.Process(self.server.process.pid).memory_info().rss / 2**20)

    def opened(self, browser: Browser, earlier: int) -> Tab:
        """A new browser with a conversation open; of so many messages, where it is a Berth."""
        context, talk_id = browser.new_context(), new_id()
        context.add_init_script(WATCH)
        if earlier and self.server:
            seed(context, talk_id, earlier)
            page = self._loaded(context, f"{self.page}?c={talk_id}")
            page.get_by_text(mark(earlier // 2 - 1)).wait_for(timeout=60_000)
        else:
            page = self._loaded(context, self.page)
        return Tab(page, self.input, self.over)

    def _loaded(self, context: BrowserContext, address: str) -> Page:
        page = context.new_page()
        page.goto(address)
        page.locator(self.input).and_(page.locator(":enabled")).wait_for(timeout=60_000)
        return page


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


@contextlib.contextmanager
def berth_of(name: str, root: Path, fake: Running) -> Iterator[Build]:
    """The server of a checkout, new, that knows this engine."""
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), root=root) as server:
        lay_fake(server.home, fake)
        try:
            yield Build(name, f"{server.url}/Chat", INPUT, ANSWERED, server)
        finally:
            os.environ["BERTH_HOME"] = folder  # whatever is stopped here is only there
            stop_engines()


@contextlib.contextmanager
def running(
    fake: Running, beside: str, beside_folder: Path | None, beside_input: str, *, floor: bool
) -> Iterator[list[Build]]:
    """All that is measured in turn."""
    with contextlib.ExitStack() as stack:
        builds = [stack.enter_context(berth_of(OURS, ROOT, fake))]
        if beside_folder:
            builds.append(stack.enter_context(berth_of(beside_folder.name, beside_folder, fake)))
        if beside:
            builds.append(Build(BESIDE, beside, beside_input))
        if floor:
            builds.append(Build(FLOOR, f"{fake.url}/fake/page", "textarea", FLOOR_OVER))
        yield builds
