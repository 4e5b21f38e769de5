"""Is a message ever lost, doubled or moved? `python -m tests.bench.chat_sequences [--sequences N]`.

People in six browsers of one Chromium do things in a random order: Enter, Enter twice, two messages
at once, Stop, reload, edit, delete; some with the conversation in two tabs. An instant and a slow
fake engine take turns, and the server is killed in the midst of it and comes back on its port.
What was entered is compared with what the pages show, before and after a reload, with what the
browser has stored and with what the engine was asked.

A sequence is known by its seed, its engine and its number among the six: `--first SEED` and
`--sequences 6` play it again, with as many `--lanes`. `--folder` plays with another checkout's
server.
"""

import argparse
import asyncio
import math
import shutil
import signal
import sys
import time
from pathlib import Path

from playwright.async_api import async_playwright

from tests.conftest import ROOT
from tests.support.browser import FLAGS, PROGRAMS
from tests.support.sequences.batch import KILLS_PER_STEP, LANES, TWO_TABS, Given, Outcome, many


async def play(given: argparse.Namespace) -> Outcome:
    """All that was asked for, in one browser; whoever ends it leaves nothing behind."""
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    seeds = range(given.first, given.first + math.ceil(given.sequences / given.lanes))
    wanted = Given(
        seeds,
        given.lanes,
        60 * given.minutes,
        given.folder,
        given.aloud,
        given.kills,
        given.two_tabs,
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        return await many(browser, wanted, told)


def told(fault: str) -> None:
    """At once: whoever waits sees it."""
    print(fault, flush=True)


def main() -> int:
    """Play, and print what was done; 1 where anything was wrong."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sequences", type=int, default=1_000)
    options.add_argument("--first", type=int, default=1, help="the first seed")
    options.add_argument("--minutes", type=float, default=120, help="no new batch after these")
    options.add_argument("--lanes", type=int, default=LANES, help="browsers at once")
    options.add_argument("--kills", type=float, default=KILLS_PER_STEP, help="per step")
    options.add_argument("--two-tabs", type=float, default=TWO_TABS, help="of the conversations")
    options.add_argument("--aloud", action="store_true", help="tell every step")
    options.add_argument("--folder", type=Path, default=ROOT, help="another checkout's server")
    began, outcome = time.monotonic(), asyncio.run(play(options.parse_args()))
    minutes = (time.monotonic() - began) / 60
    print(f"{outcome.sequences} sequences in {minutes:.1f} min, {outcome.kills} kills -9")
    print(", ".join(f"{often} {name}" for name, often in outcome.steps.most_common()))
    print(f"{len(outcome.faults)} faults")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
