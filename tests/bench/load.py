"""A busy afternoon on one server: `python -m tests.bench.load [--seconds 180]`.

50 programs stream from the gateway one reply after the other, 20 people look at pages, and 10
followers watch a job, all against a fake engine that answers at once. Printed: errors, the first
token's and a page run's median and 95th percentile, the server's memory before and after, beside
what is asked for. Clients, server and engine share the machine's cores.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import uvloop

from lib.core.access import own_process
from lib.jobs import jobs
from lib.jobs.jobs import Job
from tests.support.engines import KEY, register
from tests.support.fake_engine import running_fake
from tests.support.server import Server, running_server
from tests.support.session import opened

STREAMS, SESSIONS, FOLLOWERS = 50, 20, 10
FIRST_SECONDS, PAGE_SECONDS = 0.4, 1.3  # what is asked for, as medians
PAGES = ("", "Models", "Chat", "System", "Deploy")
PAUSE_SECONDS = 1.0  # between two looks of a person
BODY = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}], "stream": True}


@dataclass
class Seen:
    """What was measured, in seconds, and what went wrong."""

    first: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    events: int = 0
    errors: list[str] = field(default_factory=list)


async def stream(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """One reply."""
    began, is_first = time.monotonic(), True
    try:
        async with session.post(url, json=BODY) as answer:
            async for line in answer.content:
                if is_first and b'"content": "' in line:
                    seen.first.append(time.monotonic() - began)
                    is_first = False
        if answer.status != 200 or is_first:
            seen.errors.append(f"status {answer.status}, no token")
    except aiohttp.ClientError as error:
        seen.errors.append(repr(error))


async def follow(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """A job's events for as long as they come."""
    try:
        async with session.get(url) as answer:
            async for line in answer.content:
                seen.events += line.startswith(b"event:")
    except aiohttp.ClientError as error:
        seen.errors.append(repr(error))


async def programs(server: Server, job: Job, seconds: float, seen: Seen) -> None:
    """All of them, until the time is over."""
    over = time.monotonic() + seconds
    chat, events = f"{server.url}/v1/chat/completions", f"{server.url}/api/deploy/stream"

    async def again(number: int) -> None:
        await asyncio.sleep(number / STREAMS)
        while time.monotonic() < over:
            await stream(session, chat, seen)

    headers = {"Authorization": f"Bearer {KEY}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        followers = [
            asyncio.ensure_future(follow(session, f"{events}?job={job.id}", seen))
            for _ in range(FOLLOWERS)
        ]
        await asyncio.gather(*map(again, range(STREAMS)))
        for one in followers:
            one.cancel()
        await asyncio.gather(*followers, return_exceptions=True)


def person(server: Server, number: int, is_over: Callable[[], bool], seen: Seen) -> None:
    """Looks at one page after the other."""
    try:
        with opened(server) as tab:
            for page in itertools.islice(itertools.cycle(PAGES), number, None):
                if is_over():
                    return
                began = time.monotonic()
                tab.run(page)
                seen.pages.append(time.monotonic() - began)
                time.sleep(PAUSE_SECONDS)
    except Exception as error:  # whatever it is, it is what is counted here
        seen.errors.append(repr(error))


def told(name: str, seconds: list[float], asked: float) -> str:
    """Median and 95th percentile, beside what is asked for."""
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[18]
    return f"{name}: p50 {p50:.2f} s (<= {asked:g}), p95 {p95:.2f} s, {len(seconds)} of them"


def main() -> None:
    """Start everything, wait, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    seconds = parser.parse_args().seconds
    own_process()
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder, running_fake("--tokens", "40") as fake:
        home = Path(folder)
        os.environ["BERTH_HOME"] = folder
        with running_server(home) as server:
            register(home, fake)
            job = jobs.start(["sleep", str(seconds + 30)], title="Wait", kind="deploy")
            process = psutil.Process(server.process.pid)
            before, load = process.memory_info().rss, os.getloadavg()[0]
            over = time.monotonic() + seconds
            people = [
                threading.Thread(
                    target=person, args=(server, n, lambda: time.monotonic() > over, seen)
                )
                for n in range(SESSIONS)
            ]
            for one in people:
                one.start()
            uvloop.run(programs(server, job, seconds, seen))
            for one in people:
                one.join()
            after = process.memory_info().rss
            job.cancel()
    print(f"load before {load:.1f}; {len(seen.errors)} errors {seen.errors[:3]}")
    print(told("first token", seen.first, FIRST_SECONDS))
    print(told("page run", seen.pages, PAGE_SECONDS))
    print(f"{seen.events} events; memory {before / 2**20:.0f} -> {after / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
