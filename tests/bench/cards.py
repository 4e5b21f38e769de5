"""What a look at graphics cards costs: `python -m tests.bench.cards`.

The stand-in driver answers at once, so this is Berth's own part; a real one adds what it takes to
answer, outside of Python's lock. Each card has four processes whose names are looked up.
"""

import os
import statistics
import threading
import time

import psutil

from lib.machine import cards as graphics
from lib.machine.cards import cards
from lib.machine.sampler import INTERVAL_SECONDS, Sampler
from tests.support.cards import CardWorld, living_in

LOOKS = 200
BUDGET_MS = 40.0  # 2 % of one core at a look every two seconds
PAGE_MS = 1_000.0  # nobody waits longer for a driver that hangs
PROCESSES_PER_CARD = 4


def main() -> None:
    """Print a line per machine, and how long a page waits for a driver that hangs."""
    for name in ("no-driver", "one-card", "two-cards", "eight-cards"):
        with living_in(name) as world:
            report(name, world)
    with living_in("eight-cards") as world:
        hang(world)


def report(name: str, world: CardWorld) -> None:
    """Time and processor time of a look, the median of many."""
    pids = psutil.pids()[-PROCESSES_PER_CARD:]
    for index in range(len(world.answers.get("cards", []))):
        world.runs(index, [(pid, 2**30) for pid in pids])
    cards()  # loads what is loaded once
    walls, cpu = [], time.process_time()
    for _ in range(LOOKS):
        began = time.perf_counter()
        cards()
        walls.append((time.perf_counter() - began) * 1e3)
    used = (time.process_time() - cpu) * 1e3 / LOOKS
    share = used / 1e3 / INTERVAL_SECONDS
    is_fine = "ok" if used < BUDGET_MS else "TOO SLOW"
    print(
        f"{name:12} {statistics.median(walls):6.2f} ms a look, {used:6.2f} ms of processor time"
        f" (budget {BUDGET_MS:.0f}: {is_fine}), {share:.2%} of a core"
    )


def hang(world: CardWorld) -> None:
    """What whoever draws a page waits while the driver answers nothing."""
    sampler = Sampler(interval_seconds=0.1)
    sampler.start()
    while not sampler.samples():
        threading.Event().wait(0.05)
    world.card(0, nvmlDeviceGetPowerUsage={"hangs": True})
    waits = []
    ends = time.monotonic() + graphics.LATE_SECONDS + 1
    while time.monotonic() < ends:
        began = time.perf_counter()
        seen = sampler.cards()
        waits.append((time.perf_counter() - began) * 1e3)
        threading.Event().wait(0.05)
    before, problem = len(sampler.samples()), seen.problem
    threading.Event().wait(1)
    print(
        f"hanging      {max(waits):6.2f} ms at most for a page (budget {PAGE_MS:.0f}),"
        f" {len(sampler.samples()) - before} samples in the next second; it says: {problem}"
    )
    world.card(0, nvmlDeviceGetPowerUsage=1)
    sampler.stop()


if __name__ == "__main__":
    os.environ.setdefault("BERTH_HOME", "/tmp/berth-bench")
    main()
