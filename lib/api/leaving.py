"""Work for a client that is done only as long as somebody waits for it."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from starlette.types import Receive

from lib.core import lifecycle


async def while_wanted(
    receive: Receive,
    work: Coroutine[Any, Any, None],
    ends_by: Callable[[Callable[[], object]], None] | None = None,
) -> bool:
    """Do the work until it is done, the client leaves, or the server stops; was it done?

    `ends_by` is given what ends it too, from whatever thread.
    """
    tasks = [
        asyncio.ensure_future(part)
        for part in (work, _departure(receive), lifecycle.stop_event().wait())
    ]
    if ends_by:
        ends_by(partial(asyncio.get_running_loop().call_soon_threadsafe, tasks[0].cancel))
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
