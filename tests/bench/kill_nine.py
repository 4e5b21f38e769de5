"""Kill -9, a thousand times: `python -m tests.bench.kill_nine [--kills 1000] [--minutes 12]`.

Every process that Berth has is killed at a random moment: whoever starts a model or a job, the
engine, its keeper, a job's runner, log pump, script and step, a download, a deployment's processes,
the dashboard. After each, what a person would start again is started, and what Berth says is
compared with what runs. Loopback alone, in homes of its own that are removed; a tiny model in the
real engine. Printed: a table of the kills by kind with what was lost, orphaned, doubled, and each
fault in words. Exit code 1 where there is any.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from lib.core import access
from tests.bench.kill_rounds import FILE, REPOSITORY, ROUNDS, World, end
from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi

ROUNDS_OF_A_HOME = 40
AT_THE_END = "(end of a home)"
WORKERS = 2
FILE_BYTES = 3_000_000
HUB_BYTES_PER_SECOND = 8_000_000
COLUMNS = ("rounds", "kills", "lost", "orphan", "doubled")


class Told(NamedTuple):
    """What one round gave."""

    kind: str
    kills: int
    faults: list[tuple[str, str]]


def main() -> int:
    """Play all rounds with a few workers, and print the table."""
    given = _arguments()
    names = _drawn(given.kills, random.Random(given.seed), given.only)
    deadline = time.monotonic() + given.minutes * 60
    counted = {kind: Counter[str]() for kind in (*ROUNDS, AT_THE_END)}
    faults: list[str] = []
    fork = multiprocessing.get_context("fork")
    hub, hub_url = _hub()
    with tempfile.TemporaryDirectory(prefix="kill-nine-") as folder:
        pipes, workers = [], []
        for number in range(WORKERS):
            ours, theirs = fork.Pipe(duplex=False)
            arguments = (names[number::WORKERS], Path(folder, str(number)), hub_url, deadline)
            worker = fork.Process(target=_play_all, args=(*arguments, theirs, given.seed + number))
            worker.start()
            theirs.close()
            pipes.append(ours)
            workers.append(worker)
        while pipes:
            for pipe in multiprocessing.connection.wait(pipes):
                _take(pipe, pipes, counted, faults)
        for worker in workers:
            worker.join()
    os.kill(hub, signal.SIGTERM)
    os.waitpid(hub, 0)
    _print(counted, faults)
    return 1 if faults else 0


def _take(
    pipe: object, pipes: list[Connection], counted: dict[str, Counter[str]], faults: list[str]
) -> None:
    assert isinstance(pipe, Connection)
    try:
        told: Told = pipe.recv()
    except EOFError:
        pipes.remove(pipe)
        return
    row = counted[told.kind]
    row.update(rounds=1, kills=told.kills)
    for what, said in told.faults:
        row[what] += 1
        faults.append(f"{told.kind}: {what}: {said}")
        print(faults[-1], file=sys.stderr, flush=True)


def _play_all(
    names: list[str], place: Path, hub: str, deadline: float, to: Connection, seed: int
) -> None:
    """A worker's rounds, a new home after every few."""
    access.own_process()
    chance = random.Random(seed)
    checksum = hashlib.sha256(_content()).hexdigest()
    while names and time.monotonic() < deadline:
        home = place / f"{len(names)}"
        world = World(home, chance, hub, checksum)
        for name in names[:ROUNDS_OF_A_HOME]:
            if time.monotonic() > deadline:
                break
            if not _play(name, world, to):  # the victim was quicker: once more
                names.append(name)
        names = names[ROUNDS_OF_A_HOME:]
        end(world)
        if world.faults:
            to.send(Told(AT_THE_END, 0, world.faults))
        shutil.rmtree(home, ignore_errors=True)


def _play(name: str, world: World, to: Connection) -> bool:
    """Play it and tell; was anything killed?"""
    world.faults, world.kills = [], 0
    try:
        ROUNDS[name][1](world)
    except Exception as error:  # of the bench or of Berth: told, and the others go on
        world.wrong("lost", f"{type(error).__name__}: {error}")
    to.send(Told(name, world.kills, world.faults))
    world.faults = []
    return world.kills > 0


def _drawn(kills: int, chance: random.Random, only: str) -> list[str]:
    """The rounds in a random order, each kind with its share."""
    kinds = [kind for kind in ROUNDS if only in kind]
    whole = sum(ROUNDS[kind][0] for kind in kinds)
    names = [kind for kind in kinds for _ in range(round(ROUNDS[kind][0] * kills / whole))]
    chance.shuffle(names)
    return names


def _content() -> bytes:
    return random.Random(9).randbytes(FILE_BYTES)


def _hub() -> tuple[int, str]:
    """A Hub in a process of its own, so that nobody is forked who has threads; its pid and URL."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        with os.fdopen(reader) as said:
            return pid, said.readline().strip()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with HubApi() as hub:
        hub.copy_repository("acme/Anvil-1B-GGUF", REPOSITORY, siblings=[])
        manner = Manner(bytes_per_second=HUB_BYTES_PER_SECOND)
        hub.add_file(REPOSITORY, FILE, _content(), manner)
        os.write(writer, f"{hub.url}\n".encode())
        signal.pause()
    os._exit(0)


def _print(counted: dict[str, Counter[str]], faults: list[str]) -> None:
    widest = max(map(len, ROUNDS))
    print(f"{'killed':{widest}}  " + "  ".join(f"{name:>7}" for name in COLUMNS))
    total: Counter[str] = Counter()
    for kind, row in counted.items():
        total.update(row)
        print(f"{kind:{widest}}  " + "  ".join(f"{row[name]:7}" for name in COLUMNS))
    print(f"{'all':{widest}}  " + "  ".join(f"{total[name]:7}" for name in COLUMNS))
    print("\n".join(faults))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=12.0, help="no round begins after this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds with this in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
