"""What several files of this layer need before, and clean up after, each of their tests."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lib.core.settings import settings
from lib.engines.llamacpp import ENGINE, records
from lib.jobs import jobs
from lib.processes.group import ProcessGroup
from tests.support.deploy_page import MEGABYTE, SMALL
from tests.support.hub_api import HubApi
from tests.support.shapes import add_model
from tests.support.tiny_gguf import write_tiny


@pytest.fixture
def nothing_outlives_its_test(home: Path) -> Iterator[None]:
    """Neither a job nor what it has left running."""
    yield
    for job in jobs.running():
        job.cancel(((signal.SIGKILL, 10.0),))
    for runner in settings().jobs.glob("*/runner"):
        with contextlib.suppress(ValidationError):
            left = ProcessGroup.model_validate_json(runner.read_bytes())
            assert left.end(((signal.SIGKILL, 10.0),)) == []


@pytest.fixture
def ended_jobs() -> Iterator[None]:
    """Jobs end with their test, in order."""
    yield
    for job in jobs.running():
        job.cancel()


@pytest.fixture
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its program nor its server."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.fixture
def small(hub: HubApi) -> str:
    """A model of a few quantizations that any machine can hold."""
    sizes = {"Q8_0": 80, "Q4_K_M": 50, "Q2_K": 30}
    add_model(hub, SMALL, {name: size * MEGABYTE for name, size in sizes.items()})
    return SMALL


@pytest.fixture
def models(home: Path) -> Iterator[Path]:
    """The folder of the models; every child that a test leaves is ended."""
    folder = home / "models"
    folder.mkdir(parents=True)
    yield folder
    for record in records.read_all():
        ENGINE.stop(record.model)


@pytest.fixture
def starter(models: Path, starter_file: Path) -> str:
    """The real starter model, as a link, so that nothing can harm the shared file."""
    (models / "starter.gguf").symlink_to(starter_file)
    return "starter"


@pytest.fixture
def tiny(models: Path) -> str:
    """A model that is loaded in no time."""
    write_tiny(models / "tiny.gguf")
    return "tiny"


@pytest.fixture
def target(home: Path) -> Path:
    """Where a file that is downloaded belongs."""
    return home / "models" / "org" / "name" / "main" / "model.gguf"
