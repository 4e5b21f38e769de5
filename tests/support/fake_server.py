"""What the fake servers share: their options, their start and end, and how a test runs one.

Every field of a fake's `Behaviour` is an option of its command line and a name that
`POST /fake/behaviour` takes; `GET /fake/record` tells what was asked.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpx
from aiohttp import web

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).resolve().parent.parent.parent
LIFETIME_SECONDS = 900  # so that a killed test run leaves nothing behind for long

Behaviour = TypeVar("Behaviour", bound="DataclassInstance")


@dataclass
class Running:
    """A fake in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def record(self) -> list[dict[str, Any]]:
        """What was asked so far, oldest first."""
        calls: list[dict[str, Any]] = httpx.get(f"{self.url}/fake/record").json()
        return calls

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to this path."""
        return [call["body"] for call in self.record() if call["path"] == path]

    def behave(self, **changes: Any) -> None:
        """Change its behaviour while it runs."""
        httpx.post(f"{self.url}/fake/behaviour", json=changes).raise_for_status()

    def afresh(self) -> "Running":
        """The same fake, as it was started, nothing asked of it yet."""
        httpx.post(f"{self.url}/fake/afresh").raise_for_status()
        return self

    def last_call(self, ended: str, within_seconds: float = 5.0) -> dict[str, Any]:
        """The latest request, as soon as its answer ended like this."""
        give_up_at = time.monotonic() + within_seconds
        while True:
            calls = self.record()
            if calls and calls[-1]["ended"] == ended:
                return calls[-1]
            assert time.monotonic() < give_up_at, f"not {ended} within {within_seconds} s: {calls}"
            time.sleep(0.02)


@contextlib.contextmanager
def running(module: str, *options: str) -> Iterator[Running]:
    """A fake on a free port, for as long as the block runs."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # whoever ends an engine ends its group, which must not be ours
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), f"{module} did not start"
            yield Running(url, process)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()


def parsed(
    arguments: Sequence[str], behaviour: type[Behaviour], about: str | None
) -> tuple[int, Behaviour]:
    """The port and the behaviour that a command line asks for."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=0)
    for option in fields(behaviour):
        flag, kind = f"--{option.name.replace('_', '-')}", type(option.default)
        if kind is bool:
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=kind, default=option.default)
    given = vars(parser.parse_args(arguments))
    return given.pop("port"), behaviour(**given)


class Fake(Protocol):
    """A fake server's state, as far as tests look at it and change it."""

    behaviour: Any
    calls: list[Any]


def controls(fake: Fake) -> list[web.RouteDef]:
    """The tests' own routes: what was asked, how it is to behave, and all that as it began."""
    first = asdict(fake.behaviour)

    async def record(_: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in fake.calls])

    def behave(changes: dict[str, Any]) -> web.Response:
        for name, value in changes.items():
            assert hasattr(fake.behaviour, name), name
            setattr(fake.behaviour, name, value)
        return web.json_response(asdict(fake.behaviour))

    async def change(request: web.Request) -> web.Response:
        return behave(await request.json())

    async def begin_afresh(_: web.Request) -> web.Response:
        fake.calls.clear()
        return behave(first)

    return [
        web.get("/fake/record", record),
        web.post("/fake/behaviour", change),
        web.post("/fake/afresh", begin_afresh),
    ]


async def serve(application: web.Application, port: int) -> None:
    """Answer until SIGTERM; the first line on stdout is the base URL."""
    # Without cancellation a handler would go on writing to nobody, as the real engine does not.
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.1).start()
    host, bound_port = runner.addresses[0][:2]
    print(f"http://{host}:{bound_port}", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), LIFETIME_SECONDS)
    await runner.cleanup()
