"""Nothing is lost, doubled or moved by what people do in a row: fixed seeds of random sequences.

`python -m tests.bench.chat_sequences` plays many more, with kills of the server and in two tabs.
"""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.async_api import async_playwright

from tests.support.browser import FLAGS, PROGRAMS
from tests.support.sequences.batch import Given, Outcome, many

LANES = 3
SEEDS = (1, 2, 4, 7)  # so many batches: twelve conversations


async def play(seed: int) -> Outcome:
    """One batch in a browser of its own."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    given = Given(range(seed, seed + 1), LANES, kills_per_step=0, two_tabs=0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        return await many(browser, given, print)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_stays_where_it_was_said(seed: int) -> None:
    with ThreadPoolExecutor(1) as apart:  # the other tests' browser has this thread's loop
        outcome = apart.submit(asyncio.run, play(seed)).result()
    assert outcome.sequences == LANES
    assert outcome.faults == []
