"""The server's time for each page of a full home: `python -m tests.bench.pages [--root PATH ...]`.

The home has 200 models, of which four run, 100 jobs, 30 days of events and of answers, and seven
days of samples. Each build gets a copy of it and a real server; a client that speaks Streamlit's
protocol has each page drawn, the builds in turns, so that all meet the same machine. With `--root`
given more than once several builds are compared; this checkout is always among them.

Told are the time from the request until the script has ended, and the server's processor time; then
the same for what the page draws again by itself. A page's figure is the median of all its runs.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from lib.core import activity, database
from lib.core.activity import Kind
from lib.core.files import write_json
from lib.fleet import served
from lib.jobs.jobs import Record
from lib.machine import history
from tests.conftest import FOREIGN, ROOT
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.tiny_gguf import write_tiny

PAGES = ("", "Deploy", "Models", "Chat", "System", "Settings", "Connect")
RUNNING = ("runs-a", "runs-b", "runs-c", "runs-d")
DAY, MINUTE = 86_400, 60
START_SECONDS, RUN_SECONDS = 60.0, 60.0
WARM, BATCH = 2, 4  # runs before the first that counts, and in a row for one build


@dataclass
class Figures:
    """What was measured of one page of one build, in milliseconds."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def told(self) -> str:
        """Medians, with how many runs or batches they are of."""
        wall, processor = statistics.median(self.wall), statistics.median(self.processor)
        return f"{wall:7.1f} ms {processor:7.1f} CPU ms"


class Tab:
    """An open page, and what it would draw again by itself."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._page = ""
        self.fragments: set[str] = set()

    def open(self, page: str) -> None:
        """Have the whole page drawn."""
        self._page, self.fragments = page, set()
        self._run(BackMsg())

    def again(self, fragment: str) -> None:
        """Have a part of it drawn, as its timer would."""
        message = BackMsg()
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = True
        self._run(message)

    def _run(self, message: BackMsg) -> None:
        message.rerun_script.page_name = self._page
        self._socket.send(message.SerializeToString())
        while True:
            data = self._socket.recv(timeout=RUN_SECONDS)
            assert isinstance(data, bytes)
            news = ForwardMsg()
            news.ParseFromString(data)
            if news.WhichOneof("type") == "auto_rerun":
                self.fragments.add(news.auto_rerun.fragment_id)
            if news.WhichOneof("type") == "script_finished":
                return


@dataclass
class Build:
    """A checkout that serves a home."""

    name: str
    process: psutil.Process
    tab: Tab
    pages: dict[str, Figures] = field(default_factory=dict)
    parts: dict[str, Figures] = field(default_factory=dict)

    def measure(self, page: str, runs: int) -> None:
        """So many runs of a page, and as many of what it draws again."""
        figures = self.pages.setdefault(page, Figures())
        with self._processor_time(figures, runs):
            for _ in range(runs):
                began = time.perf_counter()
                self.tab.open(page)
                figures.wall.append((time.perf_counter() - began) * 1e3)
        parts = self.parts.setdefault(page, Figures())
        with self._processor_time(parts, runs):
            for _ in range(runs):
                began = time.perf_counter()
                for fragment in sorted(self.tab.fragments):
                    self.tab.again(fragment)
                parts.wall.append((time.perf_counter() - began) * 1e3)

    @contextlib.contextmanager
    def _processor_time(self, figures: Figures, runs: int) -> Iterator[None]:
        before = sum(self.process.cpu_times()[:2])
        yield
        figures.processor.append((sum(self.process.cpu_times()[:2]) - before) * 1e3 / runs)


def fill(home: Path, models: int, jobs: int, days: int) -> None:
    """A home in which much has happened."""
    random.seed(1)
    os.environ["BERTH_HOME"] = str(home)
    [first] = write_tiny(home / "models" / "m000.gguf")
    for number in range(1, models):
        shutil.copy(first, home / "models" / f"m{number:03}.gguf")
    now = time.time()
    for number in range(jobs):
        _lay_job(home, number, now - number * 3_600)
    _lay_events(now, days)
    _lay_answers(now, days)
    _lay_samples(now, min(days, 7))


def _lay_job(home: Path, number: int, created: float) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
    name = f"{stamp}-{number:06}-{number:04x}"
    folder = home / "jobs" / name
    folder.mkdir(parents=True)
    record = Record(
        id=name, title=f"Deploy m{number:03}", kind="deploy", command=("true",), created=created
    )
    write_json(folder / "job.json", record.model_dump(mode="json"))
    (folder / "log").write_text("One line after the other.\n" * 200)
    ended = {"type": "phase", "phase": "test", "state": "done", "at": created + 60}
    (folder / "events.jsonl").write_text(json.dumps(ended) + "\n")
    for mark in ("started", "alive"):
        (folder / mark).touch()
    (folder / "exit_code").write_text("1\n" if number % 10 == 0 else "0\n")


def _lay_events(now: float, days: int) -> None:
    kinds = [Kind.STARTED, Kind.STOPPED, Kind.FAILED, Kind.SIGNED_IN]
    rows = [
        (now - at, random.choice(kinds), f"m{number % 50:03}", "", "what there is to say of it")
        for number, at in enumerate(range(days * DAY, 0, -900))
    ]
    with database.opened(activity.SCHEMA) as file:
        file.executemany("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", rows)


def _lay_answers(now: float, days: int) -> None:
    """For four models the quarters of an hour of all days, and the minutes of the last two."""
    quarters = range(days * DAY // 900)
    times = [int(now // 900) * 900 - n * 900 for n in quarters]
    times += [int(now // MINUTE) * MINUTE - n * MINUTE for n in range(2 * DAY // MINUTE)]
    rows = [
        ("llamacpp", model, who, 2, 100, 200, random.uniform(8, 30))
        for model in RUNNING
        for who in ("", "a program")
    ]
    with database.opened(served.SCHEMA) as file:
        added = "INSERT OR REPLACE INTO served VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        file.executemany(added, [(at, *row) for at in times for row in rows])
        last = "INSERT INTO served_last VALUES ('llamacpp', ?, ?, ?)"
        file.executemany(last, [(f"m{n:03}", now - n, 12.5) for n in range(200)])


def _lay_samples(now: float, days: int) -> None:
    """As the sampler would have kept them."""
    fine = [(60, now - n * 60) for n in range(DAY // 60)]
    coarse = [(900, (now // 900 - n) * 900) for n in range(days * DAY // 900)]
    with database.opened(history.SCHEMA) as file:
        columns = len(file.execute("SELECT * FROM usage LIMIT 0").description)
        values = [
            (span, at, 30.0, 4 * 2**30, 8 * 2**30, 10**11, 1e4, 1e3, "[]") for span, at in fine
        ] + [(span, at, 30.0, 4 * 2**30, 8 * 2**30, 10**11, 1e4, 1e3, "[]") for span, at in coarse]
        if columns == len(values[0]):
            marks = ", ".join("?" * columns)
            file.executemany(f"INSERT OR REPLACE INTO usage VALUES ({marks})", values)


@contextlib.contextmanager
def serving(root: Path, home: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The server of this checkout; its process and its address."""
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    world = {**clean, "BERTH_HOME": str(home), "OLLAMA_HOST": "127.0.0.1:1"}
    command = [sys.executable, "-m", "lib.server", "--port", "0"]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=root, env=world, stdout=log, stderr=log)
    try:
        yield psutil.Process(server.pid), _address(home, server)
    finally:
        server.terminate()
        server.wait(20)


def _address(home: Path, server: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            told = json.loads((home / "dashboard.json").read_text())
            if told["pid"] == server.pid:
                return f"127.0.0.1:{told['port']}"
        time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{(home / 'server.log').read_text()}")


@contextlib.contextmanager
def opened(root: Path, home: Path, name: str) -> Iterator[Build]:
    """A build with a tab open in it."""
    with serving(root, home) as (process, host), _connected(host) as socket:
        yield Build(name, process, Tab(socket))


@contextlib.contextmanager
def _connected(host: str) -> Iterator[ClientConnection]:
    tokens = [Subprotocol(token) for token in ("streamlit", "no-token")]
    url, origin = f"ws://{host}/_stcore/stream", Origin(f"http://{host}")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket = connect(url, origin=origin, subprotocols=tokens, max_size=None)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    with socket:
        yield socket


def compare(builds: Sequence[Build], rounds: int) -> None:
    """All pages of all builds, in turns."""
    for page in PAGES:
        for build in builds:
            for _ in range(WARM):
                build.tab.open(page)
        for number in range(rounds):
            for build in builds[:: 1 if number % 2 else -1]:
                build.measure(page, BATCH)
        for build in builds:
            parts = len(build.tab.fragments)
            print(
                f"{page or 'Home':9} {build.name:24} page {build.pages[page].told()}"
                f"   {parts} parts again {build.parts[page].told()}",
                flush=True,
            )


def _names(roots: Sequence[Path]) -> list[str]:
    return [f"{root.name}{'' if n else ' (here)'}" for n, root in enumerate(roots)]


def main() -> None:
    """Fill a home, serve it by each build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, action="append", default=[], help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    roots = [ROOT, *(root.resolve() for root in given.root)]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_fake() as fake,
        contextlib.ExitStack() as all_open,
    ):
        full = Path(folder) / "full"
        full.mkdir()
        fill(full, given.models, given.jobs, given.days)
        builds = []
        for number, (root, name) in enumerate(zip(roots, _names(roots), strict=True)):
            home = Path(folder) / str(number)
            shutil.copytree(full, home)
            _run_some(home, fake)
            builds.append(all_open.enter_context(opened(root, home, name)))
        compare(builds, given.rounds)


def _run_some(home: Path, fake: Running) -> None:
    for name in RUNNING:
        shutil.copy(home / "models" / "m000.gguf", home / "models" / f"{name}.gguf")
        register(home, fake, name)


if __name__ == "__main__":
    main()
