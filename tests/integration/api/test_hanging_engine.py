"""The gateway and an engine that hangs: it is told, and told from one that only takes its time."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from lib.api import gateway, upstreams
from lib.api.gateway import EngineHangs, Order
from lib.api.shield import checked
from lib.engines.base import Upstream
from tests.support.fake_engine import Running, running_fake

HELLO = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}]}
ORDER = Order("fake", checked("/chat/completions", HELLO), "*/*")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with running_fake() as engine:

        async def find(_: str) -> Upstream:
            return Upstream(base_url=f"{engine.url}/v1", model="fake", engine="llamacpp")

        monkeypatch.setattr(upstreams, "find", find)
        monkeypatch.setattr(gateway, "LOOK_SECONDS", 0.3)
        monkeypatch.setattr(gateway, "MOST_SILENCES", 2)
        yield engine


async def answered() -> int:
    async with gateway.connections():
        asked = await gateway._asked_in_time(ORDER, await upstreams.find("fake"))
        asked.answer.close()
        return asked.answer.status


def test_an_engine_that_hangs_is_named(fake: Running) -> None:
    os.kill(fake.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineHangs, match="“fake” does not react"):
            asyncio.run(answered())
    finally:
        os.kill(fake.process.pid, signal.SIGCONT)


def test_an_engine_that_thinks_for_long_is_waited_for(fake: Running) -> None:
    fake.behave(prefill_ms=2_500)
    assert asyncio.run(answered()) == 200
