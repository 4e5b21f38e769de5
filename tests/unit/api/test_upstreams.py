"""Where the gateway finds a model: looked up beside no request that can do without."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from lib.api import upstreams
from lib.engines.base import Upstream


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """When a look-up began; each finds an engine at the number of looks so far."""
    began: list[float] = []

    def look_up(_name: str) -> Upstream:
        began.append(time.monotonic())
        return Upstream(base_url=f"http://127.0.0.1:{len(began)}/v1", model="m", engine="llamacpp")

    monkeypatch.setattr(upstreams, "look_up", look_up)
    monkeypatch.setattr(upstreams, "_lookups", {})
    monkeypatch.setattr(upstreams, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(upstreams, "LATER_SECONDS", 0.05)
    yield began


async def _until(looks: list[float], count: int) -> None:
    async with asyncio.timeout(5):
        while len(looks) < count:
            await asyncio.sleep(0.005)


def test_a_stale_answer_serves_and_the_next_look_begins_after_the_request(
    looks: list[float],
) -> None:
    async def asked() -> None:
        first = await upstreams.find("m")
        assert await upstreams.find("m") == first and len(looks) == 1
        asked_at = time.monotonic()
        await _until(looks, 2)
        assert looks[1] - asked_at >= 0.04
        assert (await upstreams.find("m")).base_url.endswith(":2/v1")

    asyncio.run(asked())


def test_many_requests_lead_to_one_look(looks: list[float]) -> None:
    async def asked() -> None:
        await asyncio.gather(*(upstreams.find("m") for _ in range(20)))
        assert len(looks) == 1
        await asyncio.gather(*(upstreams.find("m") for _ in range(20)))
        await _until(looks, 2)
        await asyncio.sleep(0.2)
        assert len(looks) == 2

    asyncio.run(asked())


def test_what_did_not_hold_is_looked_up_at_once(looks: list[float]) -> None:
    async def asked() -> None:
        await upstreams.find("m")
        upstreams.forget("m")
        assert (await upstreams.find("m")).base_url.endswith(":2/v1")

    asyncio.run(asked())
