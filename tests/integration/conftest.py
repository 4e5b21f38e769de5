"""What several files of this layer need before, and clean up after, each of their tests."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lib import jobs
from lib.process_group import ProcessGroup
from lib.settings import settings


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
