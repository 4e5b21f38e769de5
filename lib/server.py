"""The application and its launcher: `python -m lib.server`, or `streamlit run lib/server.py`."""

import argparse
import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

if not __package__:  # `streamlit run` puts lib/ on the path, where its http.py would hide Python's
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config, file_util

from lib import dashboard
from lib.api import errors, first_message, first_page, gateway, guests, routes, static
from lib.api.headers import SecurityHeaders, content_policy
from lib.api.nowhere import Nowhere
from lib.api.own_page import ELEMENTS
from lib.batches.watch import Batches
from lib.chat import attachments
from lib.core import http, lifecycle, locks, owner_key, patience
from lib.core.access import Role, acting
from lib.core.errors import BerthError
from lib.core.files import make_private
from lib.core.settings import ROOT, settings
from lib.dashboard import listening
from lib.doctor.registry import REGISTRY
from lib.engines import all_models
from lib.fleet import served
from lib.fleet.comeback import Comeback
from lib.fleet.idle import Idle
from lib.fleet.newer import Revisions
from lib.fleet.notices import Notices
from lib.fleet.removing import Removing
from lib.fleet.schedule import Schedule
from lib.keys import spent
from lib.machine import history, open_files, sampler
from lib.processes.command import become
from lib.requests import log
from lib.sharing import connections, listener
from lib.sharing.gate import Gate
from lib.ui import own_words
from lib.ui.elements import element

HEAVY = (
    "pandas",
    "pyarrow",
    "streamlit.elements.arrow",
    "streamlit.elements.vega_charts",
)
AFTER_VISIT_SECONDS = 3.0  # the first page is drawn by then
PING_SECONDS = 30
GRACE_SECONDS = 1
SETTLE_SECONDS = 2.0  # so long what was served last may take to be written

_OURS = first_page.Ours(ELEMENTS, element.version())
_FILES = static.Files(Path(file_util.get_static_dir()), static.page_paths(ROOT), _OURS)


@contextlib.asynccontextmanager
async def lifespan(running: st.App) -> AsyncIterator[None]:
    """What runs as long as the server does. Engines are not part of it: they go on without."""
    lifecycle.begin(running)
    recorder = history.Recorder()
    sampler.SAMPLER.start(recorder.add, history.read(sampler.KEPT_SECONDS))
    REGISTRY.is_watching = True
    dashboard.announce(config.get_option("server.port"))
    warming = asyncio.ensure_future(_warm_up())
    watches = (
        Idle(),
        Comeback(),
        Schedule(),
        Notices(REGISTRY.needs),
        Revisions(),
        Removing(),
        Batches(),
    )
    for watch in watches:
        watch.start()
    listener.begin(config.get_option("server.port"), _expect_host, attachments.forget_guests)
    try:
        async with gateway.connections():
            yield
    finally:
        warming.cancel()
        for watch in watches:
            watch.stop()
        await asyncio.to_thread(served.settle, SETTLE_SECONDS)
        await asyncio.to_thread(spent.settle, SETTLE_SECONDS)
        await asyncio.to_thread(log.settle, SETTLE_SECONDS)
        await listener.end()
        REGISTRY.is_watching = False
        sampler.SAMPLER.stop()
        recorder.close()
        dashboard.withdraw()


def _expect_host(address: str) -> None:
    """Streamlit keeps a list of its own, beside the gate."""
    known = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", list(dict.fromkeys([*known, address])))


async def _warm_up() -> None:
    """Do in quiet moments what a visitor would wait for.

    A collection of all garbage stops the whole process, and every token with it, for 100 ms when
    much is loaded. What is frozen is not looked at. Charts need 80 MiB of modules, so those are
    loaded only once somebody has come.
    """
    await asyncio.to_thread(_FILES.pack_pages)
    await asyncio.to_thread(http.local)  # its certificates would delay the first page by 40 ms
    await asyncio.to_thread(_meet_engines)
    gc.collect()
    gc.freeze()
    await _FILES.visited.wait()
    await asyncio.sleep(AFTER_VISIT_SECONDS)
    await asyncio.to_thread(_import_heavy)
    gc.freeze()


def _meet_engines() -> None:
    """Pages wait for engines less long than a slow one may need to be known at all."""
    with patience.of_a_command():
        all_models()


def _import_heavy() -> None:
    for name in HEAVY:
        importlib.import_module(name)


own_words.use()
app = st.App(
    ROOT / "Home.py",
    middleware=[
        Middleware(SecurityHeaders, policy=content_policy(*_FILES.sent, guests.PAGE, guests.OVER)),
        Middleware(Gate, lobby=guests.Lobby(_FILES.pages)),
        Middleware(gateway.Gateway),
        Middleware(routes.Api),
        Middleware(Nowhere, pages=_FILES.pages),
        Middleware(static.Precompressed, files=_FILES),
        Middleware(first_message.FirstMessage),
    ],
    lifespan=lifespan,
    exception_handlers=errors.HANDLERS,
)


class _Server(uvicorn.Server):
    """Says where it is as soon as it answers; `is_up` is called then."""

    def __init__(self, web: uvicorn.Config, is_up: Callable[[], None]) -> None:
        super().__init__(web)
        self._is_up = is_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        lifecycle.ended_by(self.leave)
        self._is_up()
        address = dashboard.address(config.get_option("server.port"))
        print(f"Berth is ready: {address}", flush=True)
        if owner_key.is_asked_for() and sys.stdout.isatty():  # never into a log
            with acting(Role.OWNER):
                print(f"Open it with its key: {owner_key.link(address)}", flush=True)

    def leave(self) -> None:
        """End as a signal would have it end, with exit code 0: nobody starts it again."""
        self.should_exit = True


def main() -> int:
    """Serve until a signal ends it; the exit code where it cannot."""
    open_files.raise_limit()
    given = _parser().parse_args()
    with contextlib.ExitStack() as turn:
        if given.alone and not _is_first(turn):
            return 0
        try:
            listener = listening(given.port)
        except BerthError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        return _served(listener, turn.close)


def _is_first(turn: contextlib.ExitStack) -> bool:
    """Does no other run? Whoever starts at the same moment waits until this one is known."""
    turn.enter_context(locks.locked(make_private(settings().home) / "start.lock"))
    if found := dashboard.running():
        print(f"Berth already runs: {found.url}", flush=True)
    return found is None


def _served(listener: socket.socket, is_up: Callable[[], None]) -> int:
    config.set_option("server.port", listener.getsockname()[1])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Ctrl-C then ends the process as it ends any other, also while a thread waits for an engine.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _Server(_web_config(), is_up).run(sockets=[listener])
    return 0


def _take_over() -> None:
    """Become Berth's own start, on the port that `streamlit run` was told: its server counts no
    connections, gives a header all the time there is, and may listen on every address."""
    port = str(config.get_option("server.port"))
    become([sys.executable, "-m", "lib.server", "--port", port], ROOT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.server", description="Start Berth.")
    usual = os.environ.get("BERTH_PORT") or config.get_option("server.port")
    parser.add_argument(
        "--port", type=int, default=usual, help=f"default {usual}; 0 takes any free one"
    )
    parser.add_argument(
        "--alone", action="store_true", help="do nothing where one runs for this BERTH_HOME"
    )
    return parser


def _web_config() -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the gate judges who is local by the real peer
        timeout_graceful_shutdown=GRACE_SECONDS,
        **connections.protocols(connections.Door(connections.owners_places())),
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_max_size=config.get_option("server.maxMessageSize") * 10**6,
        ws_per_message_deflate=config.get_option("server.enableWebsocketCompression"),
    )


if __name__ == "__main__":
    sys.exit(main())
if not __package__:
    _take_over()
