"""What each way to an engine adds: `python -m tests.bench.chain`.

A fake engine sends 50 tokens, 20 ms apart. Clients ask it directly, through nginx, through LiteLLM,
through nginx and LiteLLM, and through Berth's own gateway, in turns, so that all ways meet the same
machine. Printed as a table: the time that a way adds to the first token, and its share of the
direct way's tokens per second. Needs nginx; LiteLLM is kept in BERTH_TEST_CACHE.
"""

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import httpx
import uvloop

from lib.engines.vllm.places import Places, port
from lib.slots.gateway import litellm, nginx
from lib.slots.gateway.backends import Backend, named
from lib.slots.gateway.litellm import LiteLLMService
from lib.slots.gateway.nginx import Front
from tests.bench.gateway import GAP_MS, PATH, TOKENS, Side
from tests.support import cached_programs
from tests.support.engines import KEY, register
from tests.support.fake_engine import Running, running_fake
from tests.support.server import running_server
from tests.support.session import opened
from tests.support.waiting import until

SLOT = 46
STREAMS = (1, 8, 32)
FRONT = Front(port=8190)
_CONTENT = re.compile(rb'"content": ?"([0-9.]+) ')


async def ask(session: aiohttp.ClientSession, side: Side) -> None:
    """One stream: when its first token came."""
    body = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    began, tokens = time.time(), 0
    async with session.post(side.url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if found := _CONTENT.search(line):
                now, tokens = time.time(), tokens + 1
                if tokens == 1:
                    side.first_ms.append((now - began) * 1e3)
                side.hop_ms.append((now - float(found[1])) * 1e3)
    assert tokens == TOKENS, f"{tokens} tokens by {side.url}"


async def round_of(session: aiohttp.ClientSession, side: Side, streams: int) -> None:
    """So many streams at once, begun within one gap so that they do not come in step."""
    began = time.monotonic()

    async def later(number: int) -> None:
        await asyncio.sleep(GAP_MS / 1e3 * number / streams)
        await ask(session, side)

    await asyncio.gather(*map(later, range(streams)))
    side.tokens_per_second.append(streams * TOKENS / (time.monotonic() - began))


async def measured(sides: Sequence[Side], streams: int, rounds: int) -> None:
    """All ways in turns, the order changing; one round first that does not count."""
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        for side in sides:
            await round_of(session, Side(side.url), streams)
        for number in range(rounds):
            for side in sides[:: -1 if number % 2 else 1]:
                await round_of(session, side, streams)


@contextlib.contextmanager
def running_nginx(folder: Path) -> Iterator[None]:
    """nginx with Berth's own file, on a port of its own."""
    text = nginx.config_text(FRONT, [SLOT], litellm.PORTS[0])
    (folder / "berth.conf").write_text(text)
    (folder / "logs").mkdir()
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{name}_temp_path {name};" for name in names)
    (folder / "nginx.conf").write_text(
        "daemon off; pid nginx.pid; error_log logs/error.log; events { worker_connections 512; }"
        f" http {{ {paths} include {folder}/berth.conf; }}"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with _program(command, f"http://127.0.0.1:{FRONT.port}/health", folder / "nginx.log"):
        yield


@contextlib.contextmanager
def running_litellm(folder: Path) -> Iterator[None]:
    """LiteLLM with Berth's own files."""
    places = Places(root=folder)
    own = places.settings / "litellm"
    own.mkdir(parents=True)
    (own / "config.yaml").write_text(litellm.config_text())
    backend = Backend(
        model="fake", address=f"http://127.0.0.1:{port(SLOT)}", key_variable="FAKE_KEY"
    )
    (own / "berth.yaml").write_text(litellm.include_text(named([backend])))
    service = LiteLLMService(program=cached_programs.litellm(), version="")
    world = {**os.environ, **litellm.quiet_environment(), litellm.MASTER_KEY: KEY, "FAKE_KEY": KEY}
    command = litellm.command(service, places)
    alive = f"http://127.0.0.1:{service.port}/health/liveliness"
    with _program(command, alive, folder / "litellm.log", world):
        yield


@contextlib.contextmanager
def _program(
    command: Sequence[str], address: str, log: Path, world: dict[str, str] | None = None
) -> Iterator[None]:
    """A program that answers at this address, for as long as the block runs."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=world, stdout=output, stderr=output, cwd=log.parent
        ) as process,
    ):
        try:
            until(lambda: _answers(address, process), f"{address}: {log.read_text()[-500:]}")
            yield
        finally:
            process.terminate()


def _answers(address: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "it has ended"
    try:
        return httpx.get(address).is_success
    except httpx.HTTPError:
        return False


def report(streams: int, sides: dict[str, Side]) -> None:
    """A row for each way."""
    direct = next(iter(sides.values()))
    first = statistics.median(direct.first_ms)
    speed = statistics.median(direct.tokens_per_second)
    heads = ("first token", "added", "tokens/s", "each, p95")
    print(f"\n{f'{streams} streams at once':28}" + "".join(f"{head:>13}" for head in heads))
    for name, side in sides.items():
        mine = statistics.median(side.first_ms)
        share = statistics.median(side.tokens_per_second) / speed
        late = statistics.quantiles(side.hop_ms, n=20)[18]
        cells = (f"{mine:.1f} ms", f"{mine - first:.1f} ms", f"x {share:.3f}", f"{late:.1f} ms")
        print(f"  {name:26}" + "".join(f"{cell:>13}" for cell in cells))


def bench(fake: Running, berth: str, rounds: int) -> None:
    """All numbers of streams."""
    front, own = f"http://127.0.0.1:{FRONT.port}", f"http://127.0.0.1:{litellm.PORTS[0]}"
    ways = {
        "engine": fake.url,
        "nginx → engine": f"{front}/slot-{SLOT}",
        "LiteLLM → engine": own,
        "nginx → LiteLLM → engine": front,
        "Berth's gateway → engine": berth,
    }
    for streams in STREAMS:
        sides = {name: Side(f"{base}{PATH}") for name, base in ways.items()}
        uvloop.run(measured(list(sides.values()), streams, rounds * (4 if streams == 1 else 1)))
        report(streams, sides)


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    options = ("--port", str(port(SLOT)), "--tokens", str(TOKENS), "--gap-ms", str(GAP_MS))
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        fake = stack.enter_context(running_fake(*options, "--stamp"))
        stack.enter_context(running_litellm(folders[0]))
        stack.enter_context(running_nginx(folders[1]))
        server = stack.enter_context(running_server(folders[2]))
        with opened(server) as tab:
            register(folders[2], fake)
            tab.run()  # somebody has been there: the modules of pages and charts are loaded
            bench(fake, server.url, given.rounds)


if __name__ == "__main__":
    main()
