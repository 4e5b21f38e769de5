"""Several conversations at once on one server, which is killed now and then."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Error

from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake
from tests.support.sequences.lane import Lane
from tests.support.sequences.truth import Truth
from tests.support.server import Server

LANES = 6
LEAST_STEPS, MOST_STEPS = 5, 10
KILLS_PER_STEP = 0.15
TWO_TABS = 0.15  # of the conversations
ENGINES = {
    "instant": {"tokens": 3, "gap_ms": 0, "prefill_ms": 0},
    "slow": {"tokens": 40, "gap_ms": 25, "prefill_ms": 60},
}
WEIGHTS = {
    "Enter": 30,
    "Enter twice": 8,
    "two messages": 6,
    "Stop": 12,
    "reload": 12,
    "edit": 10,
    "delete": 10,
}
BESIDE = ("Enter", "Enter twice", "two messages", "Stop", "reload")  # what two tabs do
LONGEST_BEFORE_KILL, LONGEST_DOWN = 0.4, 1.0  # seconds
MOST_TOLD = 6  # of a sequence's faults: one leads to others
ENDLESS = 10**9

Report = Callable[[str], None]


@dataclass
class Outcome:
    """What was done and what was wrong."""

    sequences: int = 0
    kills: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        self.sequences += other.sequences
        self.kills += other.kills
        self.steps += other.steps
        self.faults += other.faults


@dataclass(frozen=True)
class Given:
    """What is to be played, by which checkout's server."""

    seeds: range
    lanes: int = LANES
    seconds: float = 7_200
    root: Path = ROOT
    is_aloud: bool = False
    kills_per_step: float = KILLS_PER_STEP
    two_tabs: float = TWO_TABS
    without: tuple[str, ...] = ()  # steps that nobody does


@dataclass
class World:
    """A server on one port, which is killed and comes back there, and an engine that stays."""

    home: Path
    root: Path
    fake: Running
    server: Server
    number: int = 0  # of the next conversation
    is_aloud: bool = False  # every step is told as it is done
    kills_per_step: float = KILLS_PER_STEP
    two_tabs: float = TWO_TABS
    without: tuple[str, ...] = ()  # steps that nobody does

    async def kill(self, seconds_down: float) -> None:
        """Kill -9, and the same server again after a while."""
        self.server.process.kill()
        self.server.process.wait()
        await asyncio.sleep(seconds_down)
        port = self.server.port
        self.server = await asyncio.to_thread(started, self.home, self.root, port)


def started(home: Path, root: Path, port: int = 0) -> Server:
    """A server of the checkout in `root`."""
    return Server(home, port=port, root=root).wait_until_ready()


@contextlib.asynccontextmanager
async def world(root: Path = ROOT) -> AsyncIterator[World]:
    """A server and an engine, both new."""
    with tempfile.TemporaryDirectory(prefix="sequences-") as folder, running_fake() as fake:
        home = Path(folder)
        made = World(home, root, fake, await asyncio.to_thread(started, home, root))
        lay_fake(home, fake)
        try:
            yield made
        finally:
            made.server.stop()


async def played(world: World, contexts: list[BrowserContext], seed: int, engine: str) -> Outcome:
    """One batch: a conversation in each browser, in step with each other."""
    lanes = len(contexts)
    chance, outcome = random.Random(f"{seed} {engine}"), Outcome(sequences=lanes)
    world.fake.afresh().behave(about=True, context=ENDLESS, **ENGINES[engine])
    batch = [_lane(world, contexts[n], f"{seed} {engine} {n}") for n in range(lanes)]
    await asyncio.gather(*(lane.open() for lane in batch))
    await _all(outcome, batch, lambda lane: _begin(lane, outcome))
    for _ in range(chance.randint(LEAST_STEPS, MOST_STEPS) - 1):
        is_killing = chance.random() < world.kills_per_step
        await _step(world, chance, outcome, batch, is_killing=is_killing)
    await _all(outcome, batch, _end)
    calls = world.fake.record()
    for number, lane in enumerate(batch):
        own = [call for call in calls if lane.truth.prefix in str(call["body"]["messages"][-1])]
        lane.faults += lane.truth.faults_of_calls(own)
        if lane.faults:
            told = "\n  ".join([*lane.faults[:MOST_TOLD], " | ".join(lane.steps)])
            outcome.faults.append(f"[{seed} {engine} {number}]\n  {told}")
        await lane.close()
    return outcome


def _lane(world: World, context: BrowserContext, seed: str) -> Lane:
    chance = random.Random(seed)
    truth = Truth(f"q{world.number % 1_000:03}")
    world.number += 1
    url, has_two_tabs = world.server.url, chance.random() < world.two_tabs
    return Lane(context, url, truth, chance, has_two_tabs, is_aloud=world.is_aloud)


async def _all(outcome: Outcome, batch: list[Lane], act: Callable[[Lane], Awaitable[None]]) -> None:
    """Do it in all lanes; where one cannot go on that is a fault of its own."""

    async def one(lane: Lane) -> None:
        try:
            await act(lane)
        except (Error, TimeoutError, OSError, KeyError, ValueError) as error:
            lane.fault(f"{type(error).__name__}: {str(error)[:300]}")

    await asyncio.gather(*map(one, batch))


async def _begin(lane: Lane, outcome: Outcome) -> None:
    """A first question, and the second tab where there is to be one."""
    outcome.steps["Enter"] += 1
    await lane.do("Enter")
    if lane.has_two_tabs:
        await lane.open_beside()


async def _step(
    world: World, chance: random.Random, outcome: Outcome, batch: list[Lane], *, is_killing: bool
) -> None:
    """The next step of every lane, and in the midst of it a kill."""
    before, down = chance.uniform(0, LONGEST_BEFORE_KILL), chance.uniform(0, LONGEST_DOWN)
    for lane in batch:
        lane.is_killing = is_killing
    stepping = asyncio.ensure_future(
        _all(outcome, batch, lambda lane: _one_step(lane, outcome, world.without))
    )
    if is_killing:
        for lane in batch:
            lane.truth.was_killed = True
            lane.note(f"(kill -9 {1e3 * before:.0f} ms after the next, {down:.1f} s down)")
        await asyncio.sleep(before)
        await world.kill(down)
        outcome.kills += 1
    await stepping
    if is_killing:
        await _all(outcome, batch, _recovered)


async def _one_step(lane: Lane, outcome: Outcome, without: tuple[str, ...]) -> None:
    names = BESIDE if lane.has_two_tabs else tuple(WEIGHTS)
    names = tuple(name for name in names if name not in without)
    tabs = range(len(lane.pages))
    together = len(tabs) == 2 and lane.chance.random() < 0.3
    if together:
        await asyncio.gather(*(lane.do("Enter", tab) for tab in tabs))
        outcome.steps["Enter in both tabs"] += 1
        return
    for _ in range(3):  # not everything can be done at any time
        [name] = lane.chance.choices(names, [WEIGHTS[n] for n in names])
        if await _tried(lane, name, lane.chance.choice(tabs)):
            outcome.steps[name] += 1
            return


async def _tried(lane: Lane, name: str, tab: int) -> bool:
    try:
        return await lane.do(name, tab)
    except Error:
        if lane.is_killing:  # nobody can type where nobody answers
            lane.note(f"{name}, in vain")
            return True
        raise


async def _recovered(lane: Lane) -> None:
    lane.is_killing = False
    for tab in range(len(lane.pages)):
        await lane.came_back(tab)
        lane.loaded(tab)
        await lane.settled(tab)


async def _end(lane: Lane) -> None:
    """What it shows, what it shows after a reload, and what is kept."""
    for tab in range(len(lane.pages)):
        await lane.settled(tab)
    await lane.reloaded()
    lane.faults += lane.truth.faults_of_copies(await lane.exported())


async def contexts_of(browser: Browser, lanes: int) -> list[BrowserContext]:
    """A browser for each lane, which goes on from batch to batch with what it has loaded."""
    return [await browser.new_context(accept_downloads=True) for _ in range(lanes)]


async def many(
    browser: Browser,
    given: Given,
    report: Report,
) -> Outcome:
    """Batch after batch, an instant and a slow engine in turn, while there is time."""
    total, give_up_at = Outcome(), time.monotonic() + given.seconds
    contexts = await contexts_of(browser, given.lanes)
    async with world(given.root) as made:
        made.is_aloud, made.kills_per_step = given.is_aloud, given.kills_per_step
        made.two_tabs, made.without = given.two_tabs, given.without
        for seed in given.seeds:
            if time.monotonic() > give_up_at:
                break
            engine = list(ENGINES)[seed % len(ENGINES)]
            outcome = await played(made, contexts, seed, engine)
            total.add(outcome)
            for fault in outcome.faults:
                report(fault)
    return total
