"""The life of the server: its event loop, since when it runs, and the moment it is told to stop.

Streams that never end by themselves wait for `stop_event` too; without it the server would wait
for their clients to leave.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from starlette.types import ASGIApp


@dataclass(frozen=True)
class _Life:
    app: ASGIApp
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)


_life: _Life | None = None
_end: Callable[[], None] | None = None


def begin(app: ASGIApp) -> None:
    """Called once by the server, inside its event loop."""
    global _life
    _life = _Life(app, asyncio.get_running_loop())
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            _announce_stop(number)


def ended_by(end: Callable[[], None]) -> None:
    """Called by the web server: `end`, called in its loop, has it finish and return."""
    global _end
    _end = end


def end_soon(seconds: float) -> None:
    """End the server by itself, after so long: what it is answering now is still to be sent.

    RuntimeError where no server runs in this process.
    """
    life, end = _current(), _end
    if end is None:
        raise RuntimeError("No web server runs in this process.")

    def ending() -> None:
        life.stop.set()
        end()

    life.loop.call_soon_threadsafe(life.loop.call_later, seconds, ending)


def loop() -> asyncio.AbstractEventLoop:
    """The server's event loop; RuntimeError where no server runs in this process."""
    return _current().loop


def app() -> ASGIApp:
    """The application, for a further listener on it."""
    return _current().app


def stop_event() -> asyncio.Event:
    """Set when the server is told to stop; to be waited for in the server's loop only."""
    return _current().stop


def is_stopping() -> bool:
    """Has the server been told to stop?"""
    return _current().stop.is_set()


def uptime_seconds() -> float:
    """Seconds since the server began."""
    return time.monotonic() - _current().began


def _current() -> _Life:
    if _life is None:
        raise RuntimeError("No server runs in this process.")
    return _life


def _announce_stop(number: signal.Signals) -> None:
    """Put our handler before the web server's own, so that it works under every launcher."""
    life, before = _current(), signal.getsignal(number)

    def announce(received: int, frame: FrameType | None) -> None:
        if not life.loop.is_closed():
            life.loop.call_soon_threadsafe(life.stop.set)
        if callable(before):
            before(received, frame)

    signal.signal(number, announce)
