"""Whose the folders are that Berth makes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.files import make_private, write_text


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_private_whatever_is_made_in_it_first(home: Path) -> None:
    make_private(home / "jobs" / "one")
    assert mode(home) == mode(home / "jobs" / "one") == 0o700


def test_a_file_in_a_home_that_is_not_there_makes_it_private_too(home: Path) -> None:
    write_text(home / "settings.toml", "")
    assert (mode(home), mode(home / "settings.toml")) == (0o700, 0o600)


def test_a_home_that_was_made_by_somebody_else_keeps_its_rights(home: Path) -> None:
    home.mkdir(mode=0o755)
    make_private(home / "jobs")
    assert mode(home) == 0o755
