"""A model with a small one that guesses ahead for it."""

from pathlib import Path

import pytest

from lib.core.errors import NotFound
from lib.engines import find_model
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE, drafts, files, measured
from tests.support.llamacpp import COUNT, EXACT, SMALL
from tests.support.tiny_gguf import write_tiny

DRAFTED = SMALL.model_copy(update={"draft": "small"})


def said(model: str) -> str:
    options = EXACT.model_copy(update={"max_tokens": 24})
    return "".join(delta.text for delta in ENGINE.chat(model, COUNT, options))


@pytest.fixture
def two(models: Path) -> None:
    for name in ("large", "small"):
        write_tiny(models / f"{name}.gguf")


@pytest.mark.usefixtures("two")
def test_it_writes_the_same_with_it_and_takes_more_memory() -> None:
    ENGINE.start("large", SMALL)
    alone = said("large")
    ENGINE.start("large", DRAFTED)
    assert said("large") == alone
    found = find_model("large")
    assert (found.state, found.note) == (State.READY, "")
    assert "draft model '" in Path(found.log).read_text()
    file = files.find("large")
    assert measured.expected(file, DRAFTED) > measured.expected(file, SMALL)


def test_one_that_the_engine_refuses_is_told(starter: str, models: Path) -> None:
    write_tiny(models / "small.gguf")
    ENGINE.start(starter, DRAFTED)
    found = find_model(starter)
    assert found.state == State.READY
    assert found.note.startswith("It runs without the draft model: ")
    assert "vocab" in found.note


@pytest.mark.usefixtures("two")
def test_where_it_is_gone_the_start_is_refused_and_what_runs_goes_on() -> None:
    ENGINE.start("large", SMALL)
    ENGINE.remove("small")
    with pytest.raises(NotFound, match="draft model “small” is not here any more"):
        ENGINE.start("large", DRAFTED)
    assert find_model("large").state == State.READY
    with pytest.raises(NotFound):
        measured.expected(files.find("large"), DRAFTED)


def test_offered_are_much_smaller_ones_of_the_same_family(starter: str, models: Path) -> None:
    write_tiny(models / "another-family.gguf")
    file = files.find(starter)
    assert drafts.candidates(file) == []
    same = files.find("another-family").model_copy(update={"architecture": file.architecture})
    assert same.size_bytes < file.size_bytes / 2
    assert StartOptions(draft="another-family").draft == "another-family"
