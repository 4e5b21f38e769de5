"""What the gateway adds to an engine: `python -m tests.bench.gateway`.

A fake engine sends 50 tokens, 20 ms apart. Clients ask it directly and through the gateway in
turns, so that both sides meet the same machine. Printed beside the budgets: the time that the
gateway adds to the first token, and its share of the direct side's tokens per second. Engine,
gateway and clients share the machine's cores, as they do at home.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import psutil
import uvloop

from tests.support.engines import KEY, register
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server, running_server
from tests.support.session import opened

TOKENS, GAP_MS = 50, 20
ADDED_MS = {1: 2.0, 8: 5.0, 32: 20.0}  # budget by streams at once
SPEED_SHARE = 0.97  # budget at the most streams
SAID = {"messages": [{"role": "user", "content": "Hello"}]}


class Way(NamedTuple):
    """A dialect: where it is spoken, what is asked, and what stands before a token's text."""

    path: str
    body: dict[str, Any]
    mark: bytes


PATH = "/v1/chat/completions"
WAYS = {
    "chat": Way(PATH, SAID, b'"content": "'),
    "responses": Way("/v1/responses", {"input": "Hello"}, b'"delta":"'),
    "messages": Way("/v1/messages", {**SAID, "max_tokens": 1_000}, b'"text_delta","text":"'),
}


@dataclass
class Side:
    """One way to the engine, and what was measured on it."""

    url: str
    way: Way = WAYS["chat"]
    first_ms: list[float] = field(default_factory=list)
    hop_ms: list[float] = field(default_factory=list)
    tokens_per_second: list[float] = field(default_factory=list)


async def ask(session: aiohttp.ClientSession, side: Side) -> None:
    """One stream: when its first token came, and how late each token was."""
    body = {"model": "fake", **side.way.body, "stream": True}
    began, is_first = time.time(), True
    async with session.post(side.url, json=body) as answer:
        async for line in answer.content:
            if side.way.mark not in line:
                continue
            now = time.time()
            if is_first:
                side.first_ms.append((now - began) * 1e3)
                is_first = False
            sent = float(line.partition(side.way.mark)[2].split()[0])
            side.hop_ms.append((now - sent) * 1e3)


async def round_of(session: aiohttp.ClientSession, side: Side, streams: int) -> None:
    """So many streams at once, begun within one gap so that they do not come in step."""
    began = time.monotonic()

    async def later(number: int) -> None:
        await asyncio.sleep(GAP_MS / 1e3 * number / streams)
        await ask(session, side)

    await asyncio.gather(*map(later, range(streams)))
    side.tokens_per_second.append(streams * TOKENS / (time.monotonic() - began))


async def measured(
    fake: Running, server: Server, way: Way, streams: int, rounds: int
) -> tuple[Side, Side]:
    """Both sides in turns, the order changing every time; one round first that does not count."""
    direct, gateway = Side(fake.url + way.path, way), Side(server.url + way.path, way)
    headers = {"Authorization": f"Bearer {KEY}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        for warm in (Side(direct.url, way), Side(gateway.url, way)):
            await round_of(session, warm, streams)
        for number in range(rounds):
            sides = (direct, gateway) if number % 2 else (gateway, direct)
            for side in sides:
                await round_of(session, side, streams)
    return direct, gateway


def report(streams: int, direct: Side, gateway: Side, cpu_ms: float) -> None:
    """One line: figures, and the budget where there is one."""
    first_direct, first = (statistics.median(side.first_ms) for side in (direct, gateway))
    share = statistics.median(gateway.tokens_per_second) / statistics.median(
        direct.tokens_per_second
    )
    hops = " / ".join(
        f"{statistics.quantiles(side.hop_ms, n=20)[18]:5.1f}" for side in (direct, gateway)
    )
    wanted = f" (>= {SPEED_SHARE})" if streams == max(ADDED_MS) else ""
    print(
        f"{streams:3} streams   first token {first_direct:5.1f} -> {first:5.1f} ms,"
        f" added {first - first_direct:5.2f} (<= {ADDED_MS[streams]:g})"
        f"   tokens/s x {share:.3f}{wanted}"
        f"   every token p95 {hops} ms   gateway {cpu_ms:.3f} CPU ms/token"
    )


def bench(fake: Running, server: Server, way: Way, rounds: int) -> None:
    """All numbers of streams."""
    process = psutil.Process(server.process.pid)
    for streams in ADDED_MS:
        turns = rounds * (8 if streams == 1 else 1)
        before = sum(process.cpu_times()[:2])
        direct, gateway = uvloop.run(measured(fake, server, way, streams, turns))
        used = sum(process.cpu_times()[:2]) - before
        report(streams, direct, gateway, used * 1e3 / ((turns + 1) * streams * TOKENS))


@contextlib.contextmanager
def busy_tabs(server: Server, count: int) -> Iterator[None]:
    """So many open tabs whose page is drawn anew every second."""
    over = threading.Event()

    def keep_drawing() -> None:
        with opened(server) as tab:
            while not over.wait(1.0):
                tab.run()

    threads = [threading.Thread(target=keep_drawing) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tabs", type=int, default=0, help="open tabs that are drawn all the time")
    parser.add_argument("--dialect", choices=WAYS, default="chat")
    given = parser.parse_args()
    options = ("--tokens", str(TOKENS), "--gap-ms", str(GAP_MS), "--stamp")
    with tempfile.TemporaryDirectory() as folder, running_fake(*options) as fake:
        home = Path(folder)
        (home / "settings.toml").write_text("requests_at_once = 64\n")  # of one that has a slot
        with running_server(home) as server, opened(server) as tab:
            register(home, fake)
            tab.run()  # somebody has been there: the modules of pages and charts are loaded
            time.sleep(6)
            with busy_tabs(server, given.tabs):
                bench(fake, server, WAYS[given.dialect], given.rounds)


if __name__ == "__main__":
    main()
