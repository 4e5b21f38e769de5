"""Faults that are planted for real in a BERTH_HOME: all are found, and those with a button mended.

damaged file · link that leads nowhere · partial download · home open to others · settings.toml
broken · token that the Hub refuses · two dashboards · a stranger at Ollama's port · an engine
below its floor · a clock behind the files · too many threads · a model whose file is gone ·
a driver in trouble
"""

import http.server
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from lib import dashboard
from lib.core.access import Role, acting
from lib.core.errors import BerthError, Conflict, Forbidden
from lib.core.files import write_json
from lib.core.settings import settings
from lib.doctor import mends
from lib.doctor.finding import Finding
from lib.doctor.registry import Registry
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, program, records
from lib.engines.llamacpp.launch import default_threads
from lib.hub import token
from lib.hub.lookups import look_up
from lib.processes import background
from lib.processes.identity import command_line
from tests.support.cards import living_in
from tests.support.hub_api import HubApi
from tests.support.own_llama_server import write_program
from tests.support.tiny_gguf import write_tiny, write_truncated

LIMIT_SECONDS = 60.0  # nothing here is about time
REFUSED = "hf_" + "z" * 30
HOLDS = "import sys, time; print('up', flush=True); time.sleep(600)"
PLANTED = (
    *("clock", "dashboards", "driver", "files:damaged:cut", "files:gone:vanished"),
    *("files:link:nowhere.gguf", "home:open", "left-over", "ports:ollama", "preferences"),
    *("threads:crowded", "token"),
)
MENDED = (
    *("files:damaged:cut", "files:gone:vanished", "files:link:nowhere.gguf", "home:open"),
    *("left-over", "preferences", "threads:crowded", "token"),
)


@pytest.fixture
def stranger() -> Iterator[int]:
    """Something that answers, and is no Ollama; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def other_dashboard(home: Path) -> Iterator[int]:
    """A process that has announced itself as a dashboard of this home; its pid."""
    with Popen([sys.executable, "-c", HOLDS], stdout=DEVNULL) as process:
        me = background.known(process.pid)
        record = dashboard.Dashboard(**me.model_dump(), port=8511, url="http://localhost:8511")
        write_json(home / "dashboards" / f"{process.pid}.json", record.model_dump())
        yield process.pid
        process.kill()


@pytest.fixture
def planted(
    home: Path,
    models: Path,
    hub: HubApi,
    stranger: int,
    other_dashboard: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """The home with everything in it."""
    _among_the_models(models)
    own = write_program(tmp_path / "bin" / "llama-server")
    monkeypatch.setenv("BERTH_LLAMA_SERVER", str(own))
    _running()
    (models / "vanished.gguf").unlink()
    token.save_token(REFUSED)
    with suppress(BerthError):
        look_up("org/name")
    dashboard.announce(8501)
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{stranger}")
    (home / "settings.toml").write_text("guests = [")
    (home / "chat.toml").write_text("")
    os.utime(home / "chat.toml", (time.time() + 10 * 86_400,) * 2)
    home.chmod(0o755)
    with living_in("mismatch"):
        yield home


def _among_the_models(models: Path) -> None:
    write_truncated(models / "cut.gguf")
    (models / "nowhere.gguf").symlink_to(models / "was-here.gguf")
    part = models / "half.gguf.part"
    part.write_bytes(bytes(2_000_000))
    os.utime(part, (time.time() - 86_400,) * 2)


def _running() -> None:
    """One with more threads than the machine has, and one that is to lose its file."""
    for name, threads in (("crowded", 64), ("vanished", 1)):
        write_tiny(settings().models / f"{name}.gguf")
        ENGINE.start(name, StartOptions(context=256, threads=threads))


@pytest.fixture
def doctor() -> Registry:
    return Registry(limit_seconds=LIMIT_SECONDS)


def by_id(doctor: Registry) -> dict[str, Finding]:
    look = doctor.look()
    assert (look.late, look.failed) == ((), ())
    return {finding.id: finding for finding in look.findings}


def test_every_planted_fault_is_found_and_each_with_a_button_is_mended_by_it(
    planted: Path, doctor: Registry, tmp_path: Path
) -> None:
    found = by_id(doctor)
    floor = f"floors:llama.cpp:{tmp_path / 'bin' / 'llama-server'}"
    assert {*PLANTED, floor} <= set(found)
    assert "is older than b12405" in found[floor].title
    buttons = {name: found[name] for name in PLANTED if found[name].fix.action}
    assert sorted(buttons) == sorted(MENDED)
    for finding in buttons.values():
        assert mends.mend(finding, waits=True)
    left = by_id(doctor)
    assert [name for name in MENDED if name in left] == []
    assert {"clock", "dashboards", "driver", "ports:ollama", floor} <= set(left)
    _is_mended(planted)


def _is_mended(home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in (home / "models").iterdir()] == ["crowded.gguf"]
    record = records.read("crowded")
    assert record is not None and record.is_alive and record.options.threads is None
    assert f"-t {default_threads()} " in " ".join([*command_line(record.pid), ""])
    assert (home / "settings.broken.toml").read_text() == "guests = ["
    assert program.known() is not None


def test_a_damaged_file_that_is_whole_by_now_is_not_removed(models: Path, doctor: Registry) -> None:
    write_truncated(models / "cut.gguf")
    finding = by_id(doctor)["files:damaged:cut"]
    write_tiny(models / "cut.gguf")
    with pytest.raises(Conflict, match="whole by now"):
        mends.mend(finding)
    assert (models / "cut.gguf").exists()


def test_a_guest_mends_nothing(home: Path, doctor: Registry) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    finding = by_id(doctor)["home:open"]
    with acting(Role.GUEST, "g"), pytest.raises(Forbidden):
        mends.mend(finding)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_machine_where_all_is_well_has_nothing_for_anybody(
    home: Path, models: Path, doctor: Registry
) -> None:
    home.chmod(0o700)
    write_tiny(models / "tiny.gguf")
    of_berth = [
        finding.id
        for finding in by_id(doctor).values()
        if finding.needs_a_person and finding.id.partition(":")[0] not in OF_THE_MACHINE
    ]
    assert of_berth == []


# What the machine that runs the tests may really have.
OF_THE_MACHINE = ("competing", "memory", "swap", "disk", "throttling", "driver", "instructions")
