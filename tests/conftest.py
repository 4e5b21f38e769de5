"""Every test gets its own world: its own BERTH_HOME, and nothing of the machine's environment."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from lib.core import access, locks
from lib.fleet import served
from lib.keys import spent
from lib.machine import bandwidth
from lib.requests import log
from tests.support.hub_api import HubApi

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = (
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "OLLAMA_HOST",
    "BERTH_EVENTS",
    "BERTH_PORT",
)


def pytest_configure() -> None:
    """Nothing of the shell's comes through, its signals, its engine; and no test is too slow."""
    hypothesis.settings.register_profile("berth", deadline=None)
    hypothesis.settings.load_profile("berth")
    # In the background a shell ignores Ctrl-C for us, and so would all that the tests start.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    # No test sees a GPU slot that it has not made.
    os.environ["BERTH_SYSTEM_ROOT"] = str(ROOT / "tests" / ".cache" / "no-system")
    # A llama-server of whoever runs the tests is used by all of them, or by none.
    os.environ["BERTH_LLAMA_SERVER"] = os.environ.get("BERTH_TEST_LLAMA_SERVER") or "off"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A BERTH_HOME that no other test has seen."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))  # whoever runs the tests may be logged in
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")  # nobody's, lest the machine's own is asked
    monkeypatch.setattr(bandwidth, "TRY_SECONDS", 0.0)  # each home measures its machine anew
    monkeypatch.setattr(bandwidth, "TRIES", 1)
    access.own_process()  # who runs the tests is the owner, where a test does not say otherwise
    folder = tmp_path / "berth"
    monkeypatch.setenv("BERTH_HOME", str(folder))
    yield folder
    log.settle()
    spent.settle()
    served.settle()  # what waits to be written would come into the next one


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubApi]:
    """A Hub that the product takes for the real one."""
    with HubApi() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(scope="session")
def starter_file() -> Path:
    """The real starter model, fetched once by the product's own code and kept between runs."""
    given = os.environ.get("BERTH_TEST_STARTER")
    if given:
        return Path(given)
    cache = ROOT / "tests" / ".cache"
    cache.mkdir(exist_ok=True)
    kept = cache / "starter.gguf"
    with locks.locked(cache / ".lock"):  # several processes run the tests
        if not kept.exists():
            _fetch_starter(cache / "berth", kept)
    return kept


def _fetch_starter(home: Path, kept: Path) -> None:
    world = {**os.environ, "BERTH_HOME": str(home)}
    command = [sys.executable, "-m", "lib.deploy.starter", "--download-only"]
    subprocess.run(command, cwd=ROOT, env=world, check=True)
    shutil.move(next((home / "models").rglob("*.gguf")), kept)
