"""What the gateway passes on counts as use of its model, as long as it lasts."""

import asyncio

import pytest

from lib.api import gateway
from lib.api.answer import Answer
from lib.api.gateway import Order
from lib.api.shield import Checked
from lib.api.waiting import Waiting
from lib.fleet import use

ORDER = Order("tiny", Checked("/chat/completions", {}, ()), "*/*")


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_uses_its_model_to_its_end(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def passed_on(order: Order, answer: Answer, wait: Waiting) -> None:
        seen.append(use.is_busy(order.model))
        if fails:
            raise ZeroDivisionError

    monkeypatch.setattr(gateway, "_relay_in_use", passed_on)

    async def ask() -> None:
        await gateway._relay(ORDER, Answer.__new__(Answer))

    if fails:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(ask())
    else:
        asyncio.run(ask())
    assert seen == [True]
    assert not use.is_busy("tiny")
