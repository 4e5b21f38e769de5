"""To wait in the event loop for what a reply's own thread writes."""

import asyncio
import contextlib
from collections.abc import Iterator

from lib.chat.reply import Reply


@contextlib.contextmanager
def hearing(reply: Reply) -> Iterator[asyncio.Event]:
    """An event that is set whenever there is news of the reply; whoever waits clears it first."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(news.set)

    with reply.listening(wake):
        yield news
