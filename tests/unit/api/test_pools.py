"""Threads by kind of work: nobody's work stops another's, and a queue has an end."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from lib.api.pools import Pool, TooBusy
from lib.core.access import Role, acting, current


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Work that waits for it does not end before the test."""
    event = threading.Event()
    yield event
    event.set()


def pool(threads: int = 1, each: int = 2, everybody: int = 3) -> Pool:
    return Pool("files", threads, each, everybody, seconds=20)


def test_one_persons_queue_has_an_end_and_the_refusal_says_when_to_come_again(
    gate: threading.Event,
) -> None:
    async def asked() -> None:
        files = pool()
        under_way = [asyncio.ensure_future(files.run("kim", gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy, match=r"2 files wait here already\. Try again in 20 s\."):
            await files.run("kim", gate.wait)
        other = asyncio.ensure_future(files.run("lee", gate.wait))
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await files.run("ann", gate.wait)
        gate.set()
        assert await asyncio.gather(*under_way, other) == [True, True, True]
        assert await files.run("ann", lambda: 7) == 7

    asyncio.run(asked())


def test_work_that_nobody_waits_for_any_more_still_counts_until_it_ends(
    gate: threading.Event,
) -> None:
    async def asked() -> None:
        files = pool(each=1)
        left = asyncio.ensure_future(files.run("kim", gate.wait))
        await asyncio.sleep(0.05)
        left.cancel()
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await files.run("kim", gate.wait)
        gate.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not files._busy:
                break
        assert await files.run("kim", lambda: 7) == 7

    asyncio.run(asked())


def test_the_work_is_done_on_behalf_of_whoever_asked() -> None:
    async def asked() -> None:
        with acting(Role.GUEST, "guest-1"):
            assert (await pool().run("guest-1", current)).who == "guest-1"

    asyncio.run(asked())


def test_an_error_comes_back_and_frees_the_place() -> None:
    async def asked() -> None:
        files = pool(each=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await files.run("kim", lambda: 1 // 0)
            await asyncio.sleep(0.02)

    asyncio.run(asked())
