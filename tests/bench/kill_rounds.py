"""The rounds of `tests.bench.kill_nine`: in each, one process is killed at a random moment.

Then what a person would start again is started, and what Berth says is compared with what runs:

lost      something that runs, or ran, that nothing in Berth knows, or that cannot be had again
orphan    a process of this home that is left after everything known has been stopped
doubled   a model that runs twice, or work that was done twice
"""

import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from lib import dashboard
from lib.download import hub_files
from lib.engines import __main__ as engines_command
from lib.engines.base import Model, State
from lib.engines.llamacpp import ENGINE, strays
from lib.engines.llamacpp import child as engine_child
from lib.fleet import __main__ as fleet_command
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState
from lib.processes import keeper
from tests.conftest import ROOT
from tests.support.server import Server
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import eventually

MODEL = "tiny"
REPOSITORY, FILE = "acme/Tiny-GGUF", "Tiny-Q4_K_M.gguf"
LOAD = ["start", MODEL, "--engine", "llamacpp", "--context", "256"]
SETTLE_SECONDS = 10.0
LONG_SECONDS = 60.0
WORK = """\
CHILD="" PLAN="" YES=yes DRY_RUN=""
source "$1/lib/jobs/script.sh"
killed() { fail 7 "A step was ended from outside (signal $1), $2."; }
heed
echo begun >>"$2"
wait_for sleep "$3"
wait_for sleep "$3"
echo "It is done."
"""


class World:
    """One home, what runs in it, and what was found wrong."""

    def __init__(self, home: Path, chance: random.Random, hub: str, checksum: str) -> None:
        self.home, self.chance, self.checksum = home, chance, checksum
        self.faults: list[tuple[str, str]] = []
        self.kills = 0
        self.server: Server | None = None
        os.environ.update(
            BERTH_HOME=str(home),
            HF_ENDPOINT=hub,
            OLLAMA_HOST="127.0.0.1:1",
            BERTH_LLAMA_SERVER="off",
            BERTH_SYSTEM_ROOT=str(home / "no-system"),
        )
        (home / "models").mkdir(parents=True)
        write_tiny(home / "models" / f"{MODEL}.gguf")
        (home / "work.sh").write_text(WORK)

    def wrong(self, what: str, told: str) -> None:
        """Note a fault."""
        self.faults.append((what, told))

    def moment(self, seconds: float) -> None:
        """Some of this time passes."""
        time.sleep(self.chance.uniform(0, seconds))

    def kill(self, pid: int) -> bool:
        """Kill one process; False where it was quicker."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills += 1
            return True
        return False

    def processes(self) -> list[psutil.Process]:
        """All that live and belong to this home, but for the dashboard of the round itself."""
        own = {os.getpid(), self.server.process.pid if self.server else 0}
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    one.pid not in own
                    and one.status() != psutil.STATUS_ZOMBIE
                    and self._is_ours(one)
                ):
                    found.append(one)
        return found

    def engines(self) -> list[psutil.Process]:
        """The processes that hold a model."""
        return [one for one in self.processes() if _runs(one, engine_child.__file__)]

    def keepers(self) -> list[psutil.Process]:
        """The processes that keep them."""
        return [one for one in self.processes() if _runs(one, keeper.__file__)]

    def model(self) -> Model:
        """As a page would show it, after the look for children that no record knows."""
        strays._looked_at = 0.0
        return next(one for one in ENGINE.models() if one.name == MODEL)

    def check_one_engine(self) -> None:
        """After a start: the model is ready, runs once, and is the one that the record says."""
        if not eventually(lambda: self.model().state == State.READY, SETTLE_SECONDS):
            self.wrong("lost", f"after a start it is {self.model().state}: {self.model().problem}")
        if len(found := self.engines()) > 1:
            self.wrong("doubled", f"{len(found)} engines run")

    def check_told(self) -> None:
        """Whatever state it is in: what runs is known."""
        known = self.model().state not in (State.STOPPED, State.FAILED)
        if self.engines() and not known and not eventually(lambda: not self.engines(), 2.0):
            self.wrong("lost", f"an engine runs, and its model is {self.model().state}")

    def stop_all(self) -> None:
        """Stop everything that is known; nothing may be left then."""
        code = wait_for(act(lambda: engines_command.main(["stop", MODEL])))
        if code not in (0, 4):
            self.wrong("lost", f"it cannot be stopped: exit code {code}")
        if not eventually(lambda: not self.processes(), SETTLE_SECONDS):
            for one in self.processes():
                with contextlib.suppress(psutil.Error):
                    self.wrong("orphan", " ".join(one.cmdline())[:200])
                    one.kill()

    def _is_ours(self, one: psutil.Process) -> bool:
        place = str(self.home)
        if any(place in word for word in one.cmdline()):
            return True
        return one.environ().get("BERTH_HOME") == place and one.ppid() != os.getpid()


def _runs(one: psutil.Process, program: str) -> bool:
    """Is it this program of Python's, and nothing that starts another with it?"""
    with contextlib.suppress(psutil.Error):
        words = one.cmdline()
        is_keeper = keeper.__file__ in words
        return program in words and is_keeper == (program == keeper.__file__)
    return False


def act(work: Callable[[], int]) -> int:
    """A process that does it, as a command does that was typed; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os._exit(work())
    finally:
        os._exit(1)


def wait_for(pid: int) -> int:
    """Its exit code, −N for signal N."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def load() -> int:
    """`python -m lib.fleet start …`."""
    return fleet_command.main(LOAD)


def starter(world: World) -> None:
    """The process that starts a model; every other time just when the engine has begun."""
    pid = act(load)
    if world.chance.random() < 0.5:
        eventually(lambda: bool(world.keepers() or world.engines()), 2.0)
        world.moment(0.03)
    else:
        world.moment(0.7)
    world.kill(pid)
    wait_for(pid)
    world.check_told()
    _again_or_not(world)


def engine(world: World) -> None:
    """The engine, while it loads or when it is ready."""
    pid = act(load)
    eventually(lambda: bool(world.engines()), SETTLE_SECONDS)
    world.moment(0.5)
    for one in world.engines():
        world.kill(one.pid)
    code = wait_for(pid)
    eventually(lambda: not world.engines(), SETTLE_SECONDS)
    if code == 0 and not eventually(lambda: world.model().state == State.FAILED, SETTLE_SECONDS):
        world.wrong("lost", f"an engine was killed, and its model is {world.model().state}")
    _again_or_not(world)


def the_keeper(world: World) -> None:
    """The keeper: the model goes on without."""
    pid = act(load)
    eventually(lambda: bool(world.keepers()), SETTLE_SECONDS)
    world.moment(0.5)
    for one in world.keepers():
        world.kill(one.pid)
    wait_for(pid)
    world.check_told()
    _again_or_not(world)


def _again_or_not(world: World) -> None:
    """Half of all people start it again, the others stop what runs."""
    if world.chance.random() < 0.5:
        if code := wait_for(act(load)):
            world.wrong("lost", f"it cannot be started again: exit code {code}")
        world.check_one_engine()
    world.stop_all()


def _work(world: World, name: str) -> Job:
    """A job as deployments are: a script with two steps."""
    marks = world.home / f"{name}.marks"
    command = ["bash", str(world.home / "work.sh"), str(ROOT), str(marks), "0.2"]

    def begin() -> int:
        jobs.start_once(command, title="Work", kind="work", resource=name)
        return 0

    pid = act(begin)
    if name.startswith("starter"):
        world.moment(0.15)
        world.kill(pid)
        wait_for(pid)
        time.sleep(0.1)  # a person is no quicker
        pid = act(begin)
    wait_for(pid)
    return next(job for job in jobs.recent() if job.resource == name)


def _finish(world: World, job: Job, wanted: tuple[JobState, ...]) -> None:
    """It ends, in a state that is true, and its work was done once."""
    if not eventually(lambda: not jobs.find(job.id).is_active, LONG_SECONDS):
        world.wrong("lost", f"a job never ends: {jobs.find(job.id).state}")
    now = jobs.find(job.id)
    if now.state not in wanted:
        world.wrong("lost", f"a job is {now.state} ({now.exit_code}), not {wanted}")
    same = [one for one in jobs.recent() if one.resource == job.resource]
    marks = world.home / f"{job.resource}.marks"
    begun = len(marks.read_text().split()) if marks.exists() else 0
    if begun > len(same) or sum(one.state == JobState.SUCCEEDED for one in same) > 1:
        world.wrong("doubled", f"{begun} beginnings of {len(same)} jobs")
    world.stop_all()


def _member(job: Job, which: str) -> Iterator[int]:
    """Pids of a job's runner, its log pump, its script, or the step that the script waits for."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        told = json.loads((job.folder / "runner").read_text(encoding="utf-8"))
        runner = psutil.Process(told["pid"])
        below = runner.children()
        scripts = [one for one in below if "bash" in one.name()]
        pumps = [one for one in below if one not in scripts]
        steps = [one for script in scripts for one in script.children()]
        found = {"runner": [runner], "pump": pumps, "script": scripts, "step": steps}[which]
        yield from (one.pid for one in found)


def _job_round(which: str, *wanted: JobState) -> Callable[[World], None]:
    def play(world: World) -> None:
        job = _work(world, f"{world.chance.getrandbits(64):016x}")
        eventually(lambda: bool(list(_member(job, which))) or not jobs.find(job.id).is_active, 5.0)
        world.moment(0.4)
        hit = [world.kill(pid) for pid in list(_member(job, which))[:1]]
        _finish(world, job, wanted if any(hit) else (*wanted, JobState.SUCCEEDED))

    play.__doc__ = f"A job's {which}."
    return play


def job_starter(world: World) -> None:
    """The process that starts a job; what it had begun is known, and is not begun again."""
    job = _work(world, f"starter-{world.chance.getrandbits(64):016x}")
    _finish(world, job, (JobState.SUCCEEDED,))


def downloader(world: World) -> None:
    """A download; the next one goes on, and the file is whole."""
    fetch = [REPOSITORY, "main", FILE]
    pid = act(lambda: hub_files.main(fetch))
    world.moment(0.8)
    world.kill(pid)
    wait_for(pid)
    if code := wait_for(act(lambda: hub_files.main(fetch))):
        world.wrong("lost", f"a download does not go on: exit code {code}")
    found = list((world.home / "models").rglob(FILE))
    if len(found) != 1 or hashlib.sha256(found[0].read_bytes()).hexdigest() != world.checksum:
        world.wrong("lost", f"the file is not what it should be: {found}")
    for one in found:
        one.unlink()


def deployment(world: World) -> None:
    """Any process of a real deployment; then it is tried again, and the model runs."""
    script = [str(ROOT / "deploy_cpu.sh"), "--yes", "--engine", "llamacpp", "--context", "256"]
    command = ["bash", *script, str(world.home / "models" / f"{MODEL}.gguf")]

    def begin() -> int:
        jobs.start_once(command, title="Deploy", kind="deploy", resource=MODEL)
        return 0

    wait_for(act(begin))
    first = jobs.recent()[0]
    world.moment(3.0)
    which = world.chance.choice(["runner", "pump", "script", "step", "step"])
    for pid in list(_member(first, which))[:1]:
        world.kill(pid)
    if not eventually(lambda: not jobs.find(first.id).is_active, LONG_SECONDS):
        world.wrong("lost", f"a deployment never ends after its {which} was killed")
    if jobs.find(first.id).state == JobState.LOST:
        world.wrong("lost", f"a deployment is lost after its {which} was killed")
    world.check_told()
    if jobs.find(first.id).state != JobState.SUCCEEDED:
        wait_for(act(begin))
        again = jobs.recent()[0]
        eventually(lambda: not jobs.find(again.id).is_active, LONG_SECONDS)
        if jobs.find(again.id).state != JobState.SUCCEEDED:
            said = jobs.find(again.id).last_line()
            world.wrong("lost", f"tried again after its {which} was killed, it says: {said}")
    world.check_one_engine()
    world.stop_all()


def the_dashboard(world: World) -> None:
    """The dashboard, while it starts or stops a model; then it is started again."""
    server = world.server or Server(world.home).wait_until_ready()
    world.server = server
    _ask(server, world.chance.choice(["start", "start", "stop"]))
    world.moment(1.0)
    if world.kill(server.process.pid):
        server.process.wait()
    world.check_told()
    world.server = Server(world.home).wait_until_ready()
    told = [one.pid for one in dashboard.others()]  # than this process
    found = dashboard.running()
    if found is None or [found.pid, *told] != [world.server.process.pid] * 2:
        world.wrong("lost", f"the dashboard that runs is told as {found}, of {told}")
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=LONG_SECONDS)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/api/models/{MODEL}/start", '{"context": 256}', headers)
    if (status := connection.getresponse().status) != 200:
        world.wrong("lost", f"the new dashboard does not start the model: {status}")
    connection.close()
    world.check_one_engine()
    if world.chance.random() < 0.5:
        world.stop_all()


def _ask(server: Server, what: str) -> None:
    """Send the request, and do not wait for what comes of it."""
    body = b'{"context": 256}' if what == "start" else b"{}"
    head = f"POST /api/models/{MODEL}/{what} HTTP/1.1\r\nHost: localhost\r\n"
    more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}{more}".encode() + body)


def end(world: World) -> None:
    """The home is given up: nothing of it may be left."""
    if world.server:
        world.server.stop()
        world.server = None
    world.stop_all()


# Each kind with its share of a thousand kills: by what it costs, and how narrow its moments are.
ROUNDS: dict[str, tuple[int, Callable[[World], None]]] = {
    "starter of a model": (300, starter),
    "engine": (150, engine),
    "keeper": (100, the_keeper),
    "starter of a job": (100, job_starter),
    "runner of a job": (75, _job_round("runner", JobState.SUCCEEDED)),
    "log pump of a job": (50, _job_round("pump", JobState.SUCCEEDED)),
    "script of a job": (50, _job_round("script", JobState.FAILED)),
    "step of a job": (50, _job_round("step", JobState.FAILED)),
    "downloader": (50, downloader),
    "deployment": (25, deployment),
    "dashboard": (50, the_dashboard),
}
