"""Links of deployments, until their models have run."""

import os
from pathlib import Path

import pytest

from lib.engines.llamacpp import fresh_links
from lib.engines.llamacpp.adopt import adopt
from lib.processes import background as process
from lib.processes.background import Child
from tests.support.tiny_gguf import write_tiny

GONE = Child(pid=2**22 + 1, created_at=1.0)


@pytest.fixture
def ours() -> Child:
    return process.known(os.getpid())


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "mine" / "m.gguf")[0]


def is_linked(home: Path) -> bool:
    return (home / "models/local/m.gguf").is_symlink()


def test_they_go_with_whom_they_were_made_for(home: Path, mine: Path, ours: Child) -> None:
    adopt(mine, ours)
    assert is_linked(home)
    assert fresh_links.take_back_for(GONE) == []
    assert fresh_links.take_back_for(ours) == [mine]
    assert fresh_links.take_back_for(ours) == []
    assert not (home / "models/local").exists()
    assert mine.exists()


def test_they_go_with_their_model_and_no_other(home: Path, mine: Path, ours: Child) -> None:
    path = adopt(mine, ours).path
    assert fresh_links.take_back("local/other.gguf") == []
    assert fresh_links.take_back(path) == [mine]
    assert not is_linked(home)


def test_what_answers_keeps_them(home: Path, mine: Path, ours: Child) -> None:
    file = adopt(mine, ours)
    fresh_links.keep(file.path)
    assert fresh_links.take_back(file.path) == []
    assert is_linked(home)


def test_those_of_one_that_lives_stay_and_those_of_one_that_is_gone_go(
    home: Path, mine: Path, ours: Child
) -> None:
    adopt(mine, ours)
    fresh_links.sweep()
    assert is_linked(home)
    fresh_links.take_back_for(ours)
    adopt(mine, GONE)
    fresh_links.sweep()
    assert not is_linked(home)


def test_a_file_that_took_a_links_place_is_not_touched(home: Path, mine: Path, ours: Child) -> None:
    path = adopt(mine, ours).path
    place = home / "models" / path
    place.unlink()
    write_tiny(place)
    assert fresh_links.take_back(path) == []
    assert place.is_file()


def test_a_link_that_nobody_noted_stays(home: Path, mine: Path, ours: Child) -> None:
    path = adopt(mine).path
    assert adopt(mine, ours).path == path
    assert fresh_links.take_back(path) == []
    assert is_linked(home)
