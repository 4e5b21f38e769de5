"""Work for a client that is done only as long as somebody waits for it."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive

from lib.core import lifecycle


async def while_wanted(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work until it is done, the client leaves, or the server stops; was it done?"""
    tasks = [
        asyncio.ensure_future(part)
        for part in (work, _departure(receive), lifecycle.stop_event().wait())
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    doing = tasks[0]
    with contextlib.suppress(asyncio.CancelledError):
        await doing
        return True
    return False


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
